/** The flags of `init`: the flags of `run` that select outputs, and those that only a setup needs. */
import { type Flag, type GivenFlags, parseFlags } from '../../cli/flags.ts';
import type { Problem } from '../../errors.ts';
import { RUN_FLAGS } from '../run-flags.ts';
import { FIELD_NAMES, type FieldName, FIELDS } from './fields.ts';
import { type Answer, type Answers, FORMS } from './setup.ts';

const RUN_FLAG_NAMES = ['kubernetes-cluster', 'database', 'database-user', 'database-name', 'application', 'ssh'];

export const INIT_FLAGS: readonly Flag[] = [
  {
    name: 'proxy-server',
    aliases: ['proxy'],
    value: 'HOST:PORT',
    help: 'Web address of the Teleport Proxy (TELEPORT_PROXY).',
  },
  { name: 'organization-id', value: 'UUID', help: "The CircleCI organization; in a job, the job's own by default." },
  { name: 'project-id', value: 'UUID', help: "The CircleCI project; in a job, the job's own by default." },
  {
    name: 'context-id',
    value: 'UUID',
    repeatable: true,
    help: "A context that the jobs may use, of which each needs one; in a job, the job's own by default.",
  },
  { name: 'context-name', value: 'NAME', help: 'Name of the context, for the generated config.' },
  { name: 'no-context', help: 'Allow jobs with any context or none.' },
  {
    name: 'join-method',
    value: 'METHOD',
    help: 'The join method of the token: circleci, or generic_oidc (Teleport 18.11 and later), which is the default with --branch, --tag or --issuer.',
  },
  {
    name: 'branch',
    value: 'PATTERN',
    repeatable: true,
    help: 'A branch that is allowed, such as main or release/*, where * stands for any text; can be repeated. For generic_oidc.',
  },
  {
    name: 'tag',
    value: 'PATTERN',
    repeatable: true,
    help: 'A tag that is allowed, such as v*; can be repeated. For generic_oidc.',
  },
  {
    name: 'vcs-origin',
    value: 'REPOSITORY',
    help: "The repository, such as github.com/example/app, which excludes forks; in a job, the job's own by default. For generic_oidc.",
  },
  {
    name: 'allow-forks',
    help: 'Allow pull requests from forks, if the project passes secrets to them. For generic_oidc.',
  },
  { name: 'allow-ssh-rerun', help: 'Allow jobs that are rerun with SSH. For generic_oidc.' },
  {
    name: 'audience',
    value: 'AUDIENCE',
    help: 'Audience of the OIDC token (default: PROXY/TOKEN). For generic_oidc.',
  },
  {
    name: 'issuer',
    value: 'URL',
    help: "Issuer of the OIDC tokens: https://HOST/org/ID for CircleCI Server; in a job, the job's own by default. For generic_oidc.",
  },
  {
    name: 'form',
    value: 'FORM',
    help: "How bot and token will be applied: tctl, terraform, or operator for Teleport's Kubernetes operator (default: tctl).",
  },
  { name: 'bot', value: 'NAME', help: 'Name of the bot (default: circleci-PROJECT).' },
  { name: 'token', value: 'NAME', help: 'Name of the join token (default: the name of the bot).' },
  { name: 'roles', value: 'ROLES', repeatable: true, help: 'Roles of the bot, separated by commas.' },
  ...RUN_FLAGS.filter(({ name }) => RUN_FLAG_NAMES.includes(name)),
  {
    name: 'destination',
    aliases: ['destination-dir'],
    value: 'DIR',
    help: 'Absolute path of the directory in the job for the credentials (default: /home/circleci/.teleport-identity).',
  },
  {
    name: 'from-list',
    value: 'FILE',
    isPath: true,
    help: 'Write the bots, tokens and configurations of many projects: a CSV file, or a YAML list. Flags apply to all of them.',
  },
  {
    name: 'drift',
    help: 'Compare the list with the output of "tctl get tokens,bots" on standard input, and write nothing.',
  },
  { name: 'directory', value: 'DIR', help: 'Directory to write the files to (default: teleport).' },
  { name: 'force', help: 'Replace existing files.' },
  { name: 'print', help: 'Print the files to stdout as one stream of YAML documents instead of writing them.' },
  { name: 'yes', help: 'Ask no questions, even on a terminal.' },
];

export interface InitArguments {
  readonly answers: Answers;
  readonly directory: string | undefined;
  readonly force: boolean;
  readonly print: boolean;
  /** Whether to ask no questions. */
  readonly yes: boolean;
  /** The file of `--from-list`. */
  readonly list: string | undefined;
  readonly drift: boolean;
  /** Flags that contradict each other. */
  readonly problems: readonly Problem[];
}

/** @throws MachineIdError USAGE_INVALID */
export function readInitArguments(args: readonly string[]): InitArguments {
  const given = parseFlags(INIT_FLAGS, args);
  const fields = new Map<FieldName, Answer>();
  for (const name of FIELD_NAMES) {
    const { flag } = FIELDS[name];
    const texts = given.get(flag.slice('--'.length));
    if (texts !== undefined) fields.set(name, { text: texts.join(','), origin: flag });
  }
  const withoutContext = given.has('no-context');
  const joinMethod = wordOf(given, 'join-method', ['circleci', 'generic_oidc']);
  const form = wordOf(given, 'form', FORMS);
  const choices = { allowsForks: given.has('allow-forks'), allowsSshRerun: given.has('allow-ssh-rerun') };
  return {
    answers: {
      ...choices,
      fields,
      withoutContext,
      contexts: [],
      ssh: given.has('ssh'),
      joinMethod: joinMethod.word ?? (Object.values(choices).includes(true) ? 'generic_oidc' : undefined),
      form: form.word ?? 'tctl',
    },
    directory: given.get('directory')?.[0],
    force: given.has('force'),
    print: given.has('print'),
    yes: given.has('yes'),
    list: given.get('from-list')?.[0],
    drift: given.has('drift'),
    problems: [
      ...joinMethod.problems,
      ...form.problems,
      ...(withoutContext ? contradictions(fields) : []),
      ...(joinMethod.word === 'circleci' ? onlyGeneric(given) : []),
      ...(given.has('drift') && !given.has('from-list') ? [{ path: '--drift', message: 'needs --from-list' }] : []),
      ...(given.has('print') && form.word === 'terraform'
        ? [{ path: '--print', message: 'prints YAML, so it cannot be combined with --form terraform' }]
        : []),
      ...(given.has('print') && given.has('from-list')
        ? [{ path: '--print', message: 'cannot be combined with --from-list' }]
        : []),
      ...(choices.allowsForks && fields.has('vcsOrigin')
        ? [{ path: '--allow-forks', message: 'conflicts with --vcs-origin: use only one of them' }]
        : []),
    ],
  };
}

function wordOf<const W extends string>(
  given: GivenFlags,
  name: string,
  words: readonly W[],
): { readonly word: W | undefined; readonly problems: readonly Problem[] } {
  const text = given.get(name)?.[0];
  const word = words.find((one) => one === text);
  if (text === undefined || word !== undefined) return { word, problems: [] };
  const message = `${JSON.stringify(text)} is not one of ${words.join(', ')}`;
  return { word, problems: [{ path: `--${name}`, message }] };
}

const GENERIC_FLAGS = ['branch', 'tag', 'vcs-origin', 'allow-forks', 'allow-ssh-rerun', 'audience', 'issuer'];

function onlyGeneric(given: GivenFlags): readonly Problem[] {
  return GENERIC_FLAGS.filter((name) => given.has(name)).map((name) => ({
    path: `--${name}`,
    message: 'needs --join-method generic_oidc: the method circleci compares only project and context',
  }));
}

function contradictions(fields: ReadonlyMap<FieldName, Answer>): readonly Problem[] {
  const names = (['contextId', 'contextName'] as const).filter((name) => fields.has(name));
  return names.map((name) => ({
    path: '--no-context',
    message: `conflicts with ${FIELDS[name].flag}: use only one of them`,
  }));
}
