/** The files of a set-up, in the order in which somebody needs them. */
import { join } from 'node:path';
import { alsoAllows } from '../../join/facts.ts';
import type { SupportedOutput } from '../../outputs/output.ts';
import { typeFields } from '../../tbot/config-file.ts';
import type { Answer, Setup, SetupFile, SetupLocation } from './fields.ts';
import { comment, entry, escaped, indented, pathWord, scalar, shellWord } from './quoting.ts';

export const SETUP_FILE_NAMES: readonly SetupFile['name'][] = [
  'bot.yaml',
  'bot-token.yaml',
  'tbot.yaml',
  'circleci-config.yml',
];

export function setupFiles(setup: Setup, place: SetupLocation): readonly SetupFile[] {
  return SETUP_FILE_NAMES.map((name) => ({ name, contents: contentsOf(name, setup, place) }));
}

function contentsOf(name: SetupFile['name'], setup: Setup, place: SetupLocation): string {
  switch (name) {
    case 'bot.yaml':
      return botFile(setup);
    case 'bot-token.yaml':
      return tokenFile(setup);
    case 'tbot.yaml':
      return tbotConfig(setup);
    case 'circleci-config.yml':
      return circleciConfig(setup, place);
    default:
      return name satisfies never;
  }
}

/** All of them as one stream of YAML documents. */
export function asOneStream(files: readonly SetupFile[], folder: string): string {
  return files.map(({ contents, name }) => `---\n# ${folder}${name}\n${contents}`).join('');
}

// `bot.yaml`: the bot that jobs become (configuration reference 7.3).

export function botFile({ bot, roles }: Pick<Setup, 'bot' | 'roles'>): string {
  return `# The bot that jobs become. Teleport has this kind of resource from version 15 on.
kind: bot
version: v1
metadata:
  name: ${scalar(bot)}
spec:
  # What the bot may do: only the roles that the jobs need.
  roles:
${roles.map((role) => `    - ${scalar(role)}\n`).join('')}`;
}

// `bot-token.yaml`: the join token, which says the jobs that may become the bot (configuration reference 7.2).

export function tokenFile({ bot, contextId, organizationId, projectId, token }: Setup): string {
  const fields = [
    comment(`The project ${originComment(projectId)}. Project Settings, Overview, shows it.`),
    `project_id: ${scalar(projectId.text)}`,
    ...(contextId === undefined ? [] : contextFields(contextId)),
  ];
  const admits = alsoAllows({ projectId: projectId.text, contextId: contextId?.text });
  return `# The join token: which jobs may become the bot. Nothing in it is secret.
kind: token
version: v2
metadata:
  # What tbot.yaml names the token by.
  name: ${scalar(token)}
spec:
  roles: [Bot]
  join_method: circleci
  bot_name: ${scalar(bot)}
  circleci:
${indented(comment(`The organization ${originComment(organizationId)}. Organization Settings, Overview, shows it.`), 4)}
    organization_id: ${scalar(organizationId.text)}
    # A job must fit one rule, and every field of it.
    allow:
${indented(comment(`This rule admits:\n${admits.map((jobs) => `- ${jobs}`).join('\n')}`), 6)}
${indented(asItem(fields.join('\n')), 6)}
`;
}

function contextFields(contextId: Answer): readonly string[] {
  return [
    comment(
      `The context ${originComment(contextId)}. Organization Settings, Contexts: the URL of the context's own page ends in it.`,
    ),
    `context_id: ${scalar(contextId.text)}`,
  ];
}

function originComment({ origin }: Answer): string {
  return `(from ${origin})`;
}

/** Comments before the first key stand before the dash. */
function asItem(lines: string): string {
  const [, comments = '', fields = ''] = /^((?:#.*\n)*)([^]*)$/.exec(lines) ?? [];
  return `${comments}- ${indented(fields, 2).trimStart()}`;
}

// `tbot.yaml`: where a job joins, and what it writes (configuration reference 1.2).

export function tbotConfig({ outputs, proxy, token }: Setup): string {
  return `# Where a job joins and what it writes: for the orb's command run, and for tbot itself.
version: v2
# The web address of the Proxy.
${entry('proxy_server', proxy)}
onboarding:
  join_method: circleci
  # The name of the join token in bot-token.yaml; not a secret.
  ${entry('token', token)}
oneshot: true
storage:
  type: memory
# Each in a folder of its own. They stand outside the checkout, so that no cache, workspace or artifact takes the keys
# along. Neither ~ nor variables are expanded in a path.
outputs:
${outputs.map((output) => indented(outputItem(output), 2)).join('')}`;
}

function outputItem(output: SupportedOutput): string {
  const { destination, type } = output;
  const lines = [
    entry('type', type),
    ...Object.entries(typeFields(output)).map(([key, value]) => entry(key, value)),
    'destination:',
    `  type: ${destination.type}`,
    ...(destination.type === 'directory' ? [`  path: ${scalar(destination.path)}`] : []),
  ];
  return `- ${indented(lines.join('\n'), 2).trimStart()}\n`;
}

// A job for `.circleci/config.yml` that joins and uses what it then has.

/** Stands for the name that somebody must look up. */
const UNKNOWN_CONTEXT = 'NAME-OF-THE-CONTEXT';

export function circleciConfig(setup: Setup, { folder, version }: SetupLocation): string {
  return `# A job for .circleci/config.yml: merge it into what stands there.
version: 2.1

orbs:
  machine-id: teleport/machine-id@${version}

jobs:
  teleport:
${indented(imageFor(setup.outputs), 4)}
    steps:
      - checkout
      - machine-id/install
      - machine-id/join:
          config: ${configText(`${folder}tbot.yaml`)}
${indented(consumerSteps(setup), 6)}
workflows:
  teleport:
    jobs:
${indented(jobWithContext(setup), 6)}
`;
}

function jobWithContext({ contextId, contextName }: Setup): string {
  if (contextId === undefined) return '- teleport';
  const how =
    contextName === undefined
      ? `Write the name of the context ${contextId.text} here:\nOrganization Settings, Contexts, the one whose page has a URL that ends in this id.`
      : `The context ${contextId.text}, which the join token asks for.`;
  return `- teleport:\n${indented(comment(how), 4)}\n    context: ${configText(contextName ?? UNKNOWN_CONTEXT)}`;
}

function configText(text: string): string {
  return scalar(escaped(text));
}

// Steps of a job that use what a run has written, one for each output.

/** The executor of the orb has no kubectl. */
function imageFor(outputs: readonly SupportedOutput[]): string {
  return outputs.some(({ type }) => type === 'kubernetes')
    ? 'docker:\n  - image: cimg/deploy:2026.07-node'
    : 'executor: machine-id/default';
}

function consumerSteps({ outputs, proxy }: Pick<Setup, 'outputs' | 'proxy'>): string {
  return outputs.map((output) => stepFor(output, proxy)).join('');
}

function stepFor(output: SupportedOutput, proxy: string): string {
  const folder = output.destination.type === 'directory' ? output.destination.path : '';
  const certificate = shellWord(join(folder, 'tlscert'));
  const look = `openssl x509 -in ${certificate} -noout -subject -enddate`;
  if (output.type === 'kubernetes') return step('List the pods', ['kubectl get pods']);
  if (output.type === 'database') return step('Look at the certificate for the database', [look, ...FOR_POSTGRESQL]);
  if (output.type === 'application') {
    const key = shellWord(join(folder, 'key'));
    return step('Call the application', [
      '# Its public address, unless it has one of its own.',
      `curl --fail --cert ${certificate} --key ${key} ${shellWord(applicationUrl(output.appName, proxy))}`,
    ]);
  }
  return step('Look at the identity', [look, ...FOR_NODES]);
}

const FOR_POSTGRESQL = [
  "# With PostgreSQL, at the Proxy's listener for it; certificate, key and authorities are exported already:",
  '# PGHOST=HOST PGPORT=5432 PGSSLMODE=verify-full psql',
];

const FOR_NODES = [
  '# For a node of the cluster:',
  '# ssh -F "$MACHINE_ID_DESTINATION/ssh_config" "USER@NODE.$TELEPORT_CLUSTER" hostname',
];

function applicationUrl(name: string, proxy: string): string {
  return `https://${name}.${proxy.replace(/:443$/, '')}/`;
}

function step(name: string, lines: readonly string[]): string {
  return `- run:\n    name: ${name}\n    command: |\n${indented(escaped(lines.join('\n')), 6)}\n`;
}

// What to do with the files of a set-up, as commands to paste.

/**
 * The bot as a resource and `tctl bots add` both work from Teleport 15 on, the oldest that this program joins; the latter
 * wants the token to be there first.
 * @param program the command line that calls this program
 */
export function nextSteps({ bot, roles, token }: Setup, { folder, written }: SetupLocation, program: string): string {
  const create = (name: string) => `tctl create -f ${pathWord(`${written}${name}`)}`;
  const roleList = shellWord(roles.join(','));
  return `1. With rights to create bots and tokens (any Teleport from 15 on):

     ${create('bot.yaml')}
     ${create('bot-token.yaml')}

   or, as it was done up to Teleport 15, without bot.yaml:

     ${create('bot-token.yaml')}
     tctl bots add ${shellWord(bot)} --roles=${roleList} --token=${shellWord(token)}

2. Commit ${written}tbot.yaml${written === folder ? '' : ` (the config names it ${folder}tbot.yaml)`}, and merge ${written}circleci-config.yml into .circleci/config.yml.

3. Look at it before the first run:

     ${program} explain-token ${pathWord(`${written}bot-token.yaml`)}

   and in a job: the orb's command machine-id/doctor with config: ${folder}tbot.yaml
`;
}
