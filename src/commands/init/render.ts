/** The files of a setup, in the order in which they are needed, and the steps that follow. */
import { join } from 'node:path';
import { alsoAllows } from '../../join/facts.ts';
import { type SupportedOutput, writtenKeys } from '../../outputs/outputs.ts';
import { comment, entry, escaped, indented, pathWord, scalar, shellWord } from './quoting.ts';
import type { Answer, Setup, SetupFile, SetupLocation } from './setup.ts';

export const SETUP_FILE_NAMES: readonly SetupFile['name'][] = [
  'bot.yaml',
  'bot-token.yaml',
  'tbot.yaml',
  'circleci-config.yml',
];

export function setupFiles(setup: Setup, location: SetupLocation): readonly SetupFile[] {
  return SETUP_FILE_NAMES.map((name) => ({ name, contents: contentsOf(name, setup, location) }));
}

function contentsOf(name: SetupFile['name'], setup: Setup, location: SetupLocation): string {
  switch (name) {
    case 'bot.yaml':
      return botFile(setup);
    case 'bot-token.yaml':
      return tokenFile(setup);
    case 'tbot.yaml':
      return tbotConfig(setup);
    case 'circleci-config.yml':
      return circleciConfig(setup, location);
    default:
      return name satisfies never;
  }
}

/** All files as one stream of YAML documents. */
export function asOneStream(files: readonly SetupFile[], directory: string): string {
  return files.map(({ contents, name }) => `---\n# ${directory}${name}\n${contents}`).join('');
}

/** `bot.yaml`: the bot that jobs become (configuration reference 7.3). */
export function botFile({ bot, roles }: Pick<Setup, 'bot' | 'roles'>): string {
  return `# The bot that jobs become. Teleport supports bot resources since version 15.
kind: bot
version: v1
metadata:
  name: ${scalar(bot)}
spec:
  # Only the roles that the jobs need.
  roles:
${roles.map((role) => `    - ${scalar(role)}\n`).join('')}`;
}

/** `bot-token.yaml`: the join token, with the rule for the jobs that can become the bot (configuration reference 7.2). */
export function tokenFile({ bot, contextId, organizationId, projectId, token }: Setup): string {
  const fields = [
    comment(`The project ${originComment(projectId)}; see Project Settings > Overview.`),
    `project_id: ${scalar(projectId.text)}`,
    ...(contextId === undefined ? [] : contextFields(contextId)),
  ];
  const allows = alsoAllows({ projectId: projectId.text, contextId: contextId?.text });
  return `# The join token, which decides which jobs can become the bot. It contains no secrets.
kind: token
version: v2
metadata:
  # tbot.yaml refers to the token by this name.
  name: ${scalar(token)}
spec:
  roles: [Bot]
  join_method: circleci
  bot_name: ${scalar(bot)}
  circleci:
${indented(comment(`The organization ${originComment(organizationId)}; see Organization Settings > Overview.`), 4)}
    organization_id: ${scalar(organizationId.text)}
    # A job must match every field of at least one rule.
    allow:
${indented(comment(`This rule allows:\n${allows.map((jobs) => `- ${jobs}`).join('\n')}`), 6)}
${indented(asItem(fields.join('\n')), 6)}
`;
}

function contextFields(contextId: Answer): readonly string[] {
  return [
    comment(
      `The context ${originComment(contextId)}; see Organization Settings > Contexts: the last part of the context's URL.`,
    ),
    `context_id: ${scalar(contextId.text)}`,
  ];
}

function originComment({ origin }: Answer): string {
  return `(from ${origin})`;
}

/** A list item; comments before the first key go before the dash. */
function asItem(lines: string): string {
  const [, comments = '', fields = ''] = /^((?:#.*\n)*)([^]*)$/.exec(lines) ?? [];
  return `${comments}- ${indented(fields, 2).trimStart()}`;
}

/** `tbot.yaml`: where a job joins and what it writes (configuration reference 1.2). */
export function tbotConfig({ outputs, proxy, token }: Setup): string {
  return `# Where a job joins and what it writes, for this orb and for tbot itself.
version: v2
# The web address of the Proxy.
${entry('proxy_server', proxy)}
onboarding:
  join_method: circleci
  # The name of the join token in bot-token.yaml (not a secret).
  ${entry('token', token)}
oneshot: true
storage:
  type: memory
# Each output has its own directory, outside the checkout, so that no cache, workspace or artifact includes the keys.
# Neither ~ nor variables are expanded in a path.
outputs:
${outputs.map((output) => indented(outputItem(output), 2)).join('')}`;
}

function outputItem(output: SupportedOutput): string {
  const { destination, type } = output;
  const lines = [
    entry('type', type),
    ...Object.entries(writtenKeys(output)).map(([key, value]) => entry(key, value)),
    'destination:',
    `  type: ${destination.type}`,
    ...(destination.type === 'directory' ? [`  path: ${scalar(destination.path)}`] : []),
  ];
  return `- ${indented(lines.join('\n'), 2).trimStart()}\n`;
}

/** A placeholder for a name that must be looked up. */
const UNKNOWN_CONTEXT = 'NAME-OF-THE-CONTEXT';

/** `circleci-config.yml`: a job that joins and uses the credentials. */
export function circleciConfig(setup: Setup, { pathInRepository, version }: SetupLocation): string {
  return `# A job to merge into .circleci/config.yml.
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
          config: ${configText(`${pathInRepository}tbot.yaml`)}
${indented(consumerSteps(setup), 6)}
workflows:
  teleport:
    jobs:
${indented(jobWithContext(setup), 6)}
`;
}

function jobWithContext({ contextId, contextName }: Setup): string {
  if (contextId === undefined) return '- teleport';
  const explanation =
    contextName === undefined
      ? `Replace this with the name of the context ${contextId.text}:\nin Organization Settings > Contexts, the one whose URL ends with this ID.`
      : `The context ${contextId.text}, which the join token requires.`;
  return `- teleport:\n${indented(comment(explanation), 4)}\n    context: ${configText(contextName ?? UNKNOWN_CONTEXT)}`;
}

function configText(text: string): string {
  return scalar(escaped(text));
}

/** The orb's executor has no kubectl. */
function imageFor(outputs: readonly SupportedOutput[]): string {
  return outputs.some(({ type }) => type === 'kubernetes')
    ? 'docker:\n  - image: cimg/deploy:2026.07-node'
    : 'executor: machine-id/default';
}

/** One step for each output, which uses its credentials. */
function consumerSteps({ outputs, proxy }: Pick<Setup, 'outputs' | 'proxy'>): string {
  return outputs.map((output) => stepFor(output, proxy)).join('');
}

function stepFor(output: SupportedOutput, proxy: string): string {
  const directory = output.destination.type === 'directory' ? output.destination.path : '';
  const certificate = shellWord(join(directory, 'tlscert'));
  const show = `openssl x509 -in ${certificate} -noout -subject -enddate`;
  if (output.type === 'kubernetes') return step('List the pods', ['kubectl get pods']);
  if (output.type === 'database') return step('Show the database certificate', [show, ...FOR_POSTGRESQL]);
  if (output.type === 'application') {
    const key = shellWord(join(directory, 'key'));
    return step('Call the application', [
      '# The default public address; change it if the application has another one.',
      `curl --fail --cert ${certificate} --key ${key} ${shellWord(applicationUrl(output.appName, proxy))}`,
    ]);
  }
  return step('Show the identity certificate', [show, ...FOR_NODES]);
}

const FOR_POSTGRESQL = [
  "# For PostgreSQL, at the Proxy's listener; certificate, key and authorities are exported already:",
  '# PGHOST=HOST PGPORT=5432 PGSSLMODE=verify-full psql',
];

const FOR_NODES = [
  '# To connect to a node of the cluster:',
  '# ssh -F "$MACHINE_ID_DESTINATION/ssh_config" "USER@NODE.$TELEPORT_CLUSTER" hostname',
];

function applicationUrl(name: string, proxy: string): string {
  return `https://${name}.${proxy.replace(/:443$/, '')}/`;
}

function step(name: string, lines: readonly string[]): string {
  return `- run:\n    name: ${name}\n    command: |\n${indented(escaped(lines.join('\n')), 6)}\n`;
}

/**
 * What to do with the files, as commands to paste. Bot resources and `tctl bots add` both work from Teleport 15 on, the
 * oldest version this program supports; the latter needs the token to exist.
 * @param program the command line that calls this program
 */
export function nextSteps(
  { bot, roles, token }: Setup,
  { pathFromHere, pathInRepository }: SetupLocation,
  program: string,
): string {
  const create = (name: string) => `tctl create -f ${pathWord(`${pathFromHere}${name}`)}`;
  const roleList = shellWord(roles.join(','));
  return `1. As a user who can create bots and tokens (Teleport 15 or later):

     ${create('bot.yaml')}
     ${create('bot-token.yaml')}

   or, without bot.yaml:

     ${create('bot-token.yaml')}
     tctl bots add ${shellWord(bot)} --roles=${roleList} --token=${shellWord(token)}

2. Commit ${pathFromHere}tbot.yaml${pathFromHere === pathInRepository ? '' : ` (the config refers to it as ${pathInRepository}tbot.yaml)`}, and merge ${pathFromHere}circleci-config.yml into .circleci/config.yml.

3. Before the first run, check which jobs the join token allows:

     ${program} explain-token ${pathWord(`${pathFromHere}bot-token.yaml`)}

   and, in a job, check the setup with the orb's command machine-id/doctor and config: ${pathInRepository}tbot.yaml
`;
}
