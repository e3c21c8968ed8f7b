/** The files of a setup, in the order in which they are needed, and the steps that follow. */
import { join } from 'node:path';
import { type SupportedOutput, writtenKeys } from '../../outputs/outputs.ts';
import { comment, entry, escaped, indented, pathWord, scalar, shellWord } from './quoting.ts';
import { terraformFile } from './render-terraform.ts';
import { botFile, tokenFile } from './render-resources.ts';
import type { Form, Setup, SetupFile, SetupLocation } from './setup.ts';

export type ProjectFileName = Exclude<SetupFile['name'], 'resources.yaml'>;

export function setupFileNames(form: Form): readonly ProjectFileName[] {
  const resources = form === 'terraform' ? (['teleport.tf'] as const) : (['bot.yaml', 'bot-token.yaml'] as const);
  return [...resources, 'tbot.yaml', 'circleci-config.yml'];
}

export function setupFiles(setup: Setup, location: SetupLocation): readonly SetupFile[] {
  return setupFileNames(setup.form).map((name) => ({ name, contents: contentsOf(name, setup, location) }));
}

function contentsOf(name: ProjectFileName, setup: Setup, location: SetupLocation): string {
  switch (name) {
    case 'bot.yaml':
      return botFile(setup);
    case 'bot-token.yaml':
      return tokenFile(setup);
    case 'teleport.tf':
      return terraformFile(setup);
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

/** `tbot.yaml`: where a job joins and what it writes (configuration reference 1.2). */
export function tbotConfig({ form, generic, outputs, proxy, token }: Setup): string {
  return `# Where a job joins and what it writes, for this orb and for tbot itself.
version: v2
# The web address of the Proxy.
${entry('proxy_server', proxy)}
onboarding:
  join_method: ${generic === undefined ? 'circleci' : 'generic_oidc'}
  # The name of the join token in ${form === 'terraform' ? 'teleport.tf' : 'bot-token.yaml'} (not a secret).
  ${entry('token', token)}
${generic === undefined ? '' : tokenCommand(generic.audience)}oneshot: true
storage:
  type: memory
# Each output has its own directory, outside the checkout, so that no cache, workspace or artifact includes the keys.
# Neither ~ nor variables are expanded in a path.
outputs:
${outputs.map((output) => indented(outputItem(output), 2)).join('')}`;
}

/** CircleCI's agent prints a token for the audience, which is not that of the default token. */
function tokenCommand(audience: string): string {
  const command = ['circleci', 'run', 'oidc', 'get', '--claims', JSON.stringify({ aud: audience })];
  return `  generic_oidc:
    # Gets an OIDC token for the audience of the join token.
    command: [${command.map(scalar).join(', ')}]
`;
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

function jobWithContext({ contextIds, contextName }: Setup): string {
  const [first, ...others] = contextIds.map(({ text }) => text);
  if (first === undefined) return '- teleport';
  const ids = [first, ...others].join(' or ');
  const explanation =
    contextName === undefined
      ? `Replace this with the name of the context ${ids}:\nin Organization Settings > Contexts, the one whose URL ends with this ID.`
      : `The context ${ids}, which the join token requires.`;
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
export function nextSteps(setup: Setup, location: SetupLocation, program: string): string {
  const { form, generic } = setup;
  const { pathFromHere, pathInRepository } = location;
  const tokenName = form === 'terraform' ? 'teleport.tf' : 'bot-token.yaml';
  return `1. ${applySteps(setup, location)}

2. Commit ${pathFromHere}tbot.yaml${pathFromHere === pathInRepository ? '' : ` (the config refers to it as ${pathInRepository}tbot.yaml)`}, and merge ${pathFromHere}circleci-config.yml into .circleci/config.yml.

3. Before the first run, check which jobs the join token allows:

     ${program} explain-token ${pathWord(`${pathFromHere}${tokenName}`)}

   and, in a job, check the setup with the orb's command machine-id/doctor and config: ${pathInRepository}tbot.yaml
${generic === undefined ? CIRCLECI_LIMITS : ''}`;
}

const CIRCLECI_LIMITS = `
The join method circleci compares only project and context: every branch and tag is allowed, reruns with SSH too, and
forks if the project passes secrets to them. With Teleport 18.11 or later, pass --branch to restrict them.
`;

function applySteps(setup: Setup, { pathFromHere }: SetupLocation): string {
  const version = setup.generic === undefined ? 'Teleport 15 or later' : 'Teleport 18.11 or later';
  switch (setup.form) {
    case 'tctl':
      return `As a user who can create bots and tokens (${version}):\n\n${tctlSteps(setup, pathFromHere)}`;
    case 'terraform':
      return `Move ${pathFromHere}teleport.tf into a Terraform configuration that has the provider terraform.releases.teleport.dev/gravitational/teleport (${version}), and apply it.`;
    case 'operator': {
      const files = ['bot.yaml', 'bot-token.yaml'].map((name) => `-f ${pathWord(`${pathFromHere}${name}`)}`);
      return `In the namespace that Teleport's Kubernetes operator watches (${version}):\n\n     kubectl apply -n NAMESPACE ${files.join(' ')}`;
    }
    default:
      return setup.form satisfies never;
  }
}

function tctlSteps({ bot, generic, roles, token }: Setup, pathFromHere: string): string {
  const create = (name: string) => `     tctl create -f ${pathWord(`${pathFromHere}${name}`)}`;
  const both = `${create('bot.yaml')}\n${create('bot-token.yaml')}`;
  if (generic !== undefined) return both;
  const roleList = shellWord(roles.join(','));
  return `${both}

   or, without bot.yaml:

${create('bot-token.yaml')}
     tctl bots add ${shellWord(bot)} --roles=${roleList} --token=${shellWord(token)}`;
}
