/** The flags of `init`: the flags of `run` that select outputs, and those that only a setup needs. */
import { type Flag, parseFlags } from '../../cli/flags.ts';
import type { Problem } from '../../errors.ts';
import { RUN_FLAGS } from '../run-flags.ts';
import { FIELD_NAMES, type FieldName, FIELDS } from './fields.ts';
import type { Answer, Answers } from './setup.ts';

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
  { name: 'context-id', value: 'UUID', help: "The context that the jobs use; in a job, the job's own by default." },
  { name: 'context-name', value: 'NAME', help: 'Name of the context, for the generated config.' },
  { name: 'no-context', help: 'Allow every job of the project, with any context or none.' },
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
  return {
    answers: { fields, withoutContext, contexts: [], ssh: given.has('ssh') },
    directory: given.get('directory')?.[0],
    force: given.has('force'),
    print: given.has('print'),
    yes: given.has('yes'),
    problems: withoutContext ? contradictions(fields) : [],
  };
}

function contradictions(fields: ReadonlyMap<FieldName, Answer>): readonly Problem[] {
  const names = (['contextId', 'contextName'] as const).filter((name) => fields.has(name));
  return names.map((name) => ({
    path: '--no-context',
    message: `conflicts with ${FIELDS[name].flag}: use only one of them`,
  }));
}
