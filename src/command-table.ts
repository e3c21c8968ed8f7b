/**
 * The table of commands, and the texts about them. This file imports only types and the version: it is all that
 * `--help` and `version` evaluate.
 */
import type { Flag } from './cli/flags.ts';
import { VERSION, type World } from './effects/world.ts';

/**
 * A command's files are imported when it runs or shows its help, not before: other programs call some commands once per
 * connection, and evaluating the whole bundle takes several times as long as what those do.
 */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly notes?: string;
  /** Name of the argument without a flag, for a command that takes one. */
  readonly operand?: string;
  readonly flags: () => Promise<readonly Flag[]>;
  /** Resolves with the exit code of a program that runs in its place, or of the command, if not 0. */
  readonly act: (args: readonly string[], world: World) => Promise<void> | Promise<number>;
}

/** The command that our kubeconfig calls. */
export const KUBE_CREDENTIALS = 'kube-credentials';

export const COMMANDS: readonly Command[] = [
  {
    name: 'run',
    summary: 'Join the cluster, write the outputs of tbot.yaml, and export their paths to later steps.',
    notes:
      'Needs --config FILE, or --proxy-server, --token and --destination. Flags take precedence over variables, and variables over the file.',
    flags: async () => (await import('./commands/run-flags.ts')).RUN_FLAGS,
    act: async (args, world) => (await import('./commands/run.ts')).run(args, world),
  },
  {
    name: 'init',
    summary: 'Write the files for the set-up: bot, join token, tbot.yaml, and a job for the CircleCI config.',
    notes:
      'On a terminal, it asks for what the flags leave open. In a job, it finds the ids itself. Contacts nothing except, in a job, the CircleCI agent.',
    flags: async () => (await import('./commands/init/flags.ts')).INIT_FLAGS,
    act: async (args, world) => (await import('./commands/init/init.ts')).init(args, world),
  },
  {
    name: 'doctor',
    summary: 'Check everything "run" needs, without changing anything, and suggest fixes.',
    notes:
      'Joins the cluster like run and requests the certificates of every output, but writes none of them. Takes the flags of run; where some are missing, it checks what it can. --egress lists and tests every connection of the job instead. Prints no secrets.',
    flags: async () => (await import('./commands/doctor/flags.ts')).DOCTOR_FLAGS,
    act: async (args, world) => (await import('./commands/doctor/doctor.ts')).doctor(args, world),
  },
  {
    name: 'explain-token',
    summary: 'Check the file of a join token, and explain which of its rules allow this job and why the others do not.',
    notes: `FILE is the input of "tctl create -f", the output of "tctl get token/NAME" or "tctl get tokens", or a Terraform file; - reads standard input.
Contacts nothing. Exits with 1 when the token is valid but does not allow the job, or when --lint finds errors or warnings.`,
    operand: 'FILE',
    flags: async () => (await import('./commands/explain-token/explain-token.ts')).EXPLAIN_TOKEN_FLAGS,
    act: async (args, world) =>
      (await import('./commands/explain-token/explain-token.ts')).explainTokenCommand(args, world),
  },
  {
    name: 'cleanup',
    summary: "Remove the files and exports that this job's runs wrote; for a last step with when: always.",
    notes: 'Removes only what runs wrote. Safe to call twice, and when there is nothing to remove.',
    flags: async () => (await import('./commands/cleanup.ts')).CLEANUP_FLAGS,
    act: async (args, world) => (await import('./commands/cleanup.ts')).cleanup(args, world),
  },
  {
    name: 'tunnel',
    summary: 'Open tunnels to databases and applications, for programs that present no certificate themselves.',
    notes:
      'Opens the tunnels under "services" of tbot.yaml, or the one that flags request. Joins the cluster like run, and writes no files.',
    flags: async () => (await import('./commands/tunnel/flags.ts')).TUNNEL_FLAGS,
    act: async (args, world) => (await import('./commands/tunnel/tunnel.ts')).tunnel(args, world),
  },
  {
    name: 'tunnel status',
    summary: 'Report the tunnels of this job, and fail if one of them is not ready.',
    flags: async () => (await import('./commands/tunnel/status.ts')).STATUS_FLAGS,
    act: async (args, world) => (await import('./commands/tunnel/status.ts')).tunnelStatus(args, world),
  },
  {
    name: 'exec',
    summary: 'Run one command with credentials that only it can use, and remove them when it ends.',
    notes: `Usage: machine-id exec [flags] -- COMMAND ARGUMENT...
Joins like run, writes to a private directory (in memory if there is a RAM disk), and sets the variables that run exports. ssh, scp and sftp get the written ssh_config. Keys and tokens are masked in the output. Signals go to the command; its exit code is returned, 128 and the number of the signal if one ended it.`,
    flags: async () => (await import('./commands/exec/flags.ts')).EXEC_FLAGS,
    act: async (args, world) => (await import('./commands/exec/exec.ts')).exec(args, world),
  },
  {
    name: 'install-tools',
    summary: "Download, verify and install Teleport's own programs (tsh, tctl and others) for later steps.",
    notes: 'Does nothing when they are already installed.',
    flags: async () => (await import('./commands/install-tools/flags.ts')).INSTALL_TOOLS_FLAGS,
    act: async (args, world) => (await import('./commands/install-tools/install-tools.ts')).installTools(args, world),
  },
  {
    name: 'ssh-proxy-command',
    summary: 'Connect OpenSSH to a node through the Proxy; the ssh_config that run writes calls it.',
    flags: async () => (await import('./commands/ssh-proxy-command.ts')).SSH_PROXY_FLAGS,
    act: async (args, world) => (await import('./commands/ssh-proxy-command.ts')).sshProxyCommand(args, world),
  },
  {
    name: 'ssh-multiplexer-proxy-command',
    summary: 'Connect OpenSSH to a node through a running tunnel; the ssh_config of the tunnel calls it.',
    operand: 'SOCKET TARGET',
    flags: async () => (await import('./commands/ssh-multiplexer-proxy-command.ts')).SSH_MULTIPLEXER_FLAGS,
    act: async (args, world) =>
      (await import('./commands/ssh-multiplexer-proxy-command.ts')).sshMultiplexerProxyCommand(args, world),
  },
  {
    name: KUBE_CREDENTIALS,
    summary: 'Print a certificate and its key for kubectl; the kubeconfig.yaml that run writes calls it.',
    flags: async () => (await import('./commands/kube-credentials.ts')).KUBE_CREDENTIALS_FLAGS,
    act: async (args, world) => (await import('./commands/kube-credentials.ts')).kubeCredentials(args, world),
  },
  {
    name: 'version',
    summary: 'Print the version of this program.',
    flags: () => Promise.resolve([]),
    act: async (args: readonly string[], { stdout }: World): Promise<void> => {
      (await import('./cli/flags.ts')).parseFlags([], args);
      await stdout(versionText());
    },
  },
];

/** What the arguments ask for, if it is a text that does not depend on anything else. */
export function textFor([name = '--help', ...rest]: readonly string[]): string | undefined {
  if (HELP.includes(name)) return programHelp(COMMANDS);
  return rest.length === 0 && commandName(name) === 'version' ? versionText() : undefined;
}

const HELP: readonly string[] = ['--help', '-h', 'help'];

/** Programs are expected to have these flags as well. */
export function commandName(name: string): string {
  return name === '--version' || name === '-v' ? 'version' : name;
}

function versionText(): string {
  return `${VERSION}\n`;
}

function programHelp(commands: readonly { readonly name: string; readonly summary: string }[]): string {
  const lines = commands.map(
    ({ name, summary }) => `  ${name.padEnd(18)}${name.length > 18 ? `\n${' '.repeat(20)}` : ''} ${summary}`,
  );
  return `Joins a Teleport cluster with the OIDC token of a CircleCI job and writes short-lived credentials.

Usage: machine-id <command> [flags]

Commands:
${lines.join('\n')}

"machine-id <command> --help" lists the flags of a command.
Exit codes: 0 done, 1 failed, 2 wrong input (nothing contacted, nothing written).
`;
}

/** What `--help` prints after the name of a command. */
export function commandHelp({ name, notes = '', operand = '', summary }: Command, flags: readonly Flag[]): string {
  const width = Math.max(...flags.map((flag) => usage(flag).length));
  const lines = flags.map((flag) => `  ${usage(flag).padEnd(width)}  ${flag.help}`);
  const list = lines.length === 0 ? '' : `\nFlags:\n${lines.join('\n')}\n`;
  return `${summary}\n\nUsage: machine-id ${name}${operand === '' ? '' : ` ${operand}`}${flags.length === 0 ? '' : ' [flags]'}\n${list}${notes === '' ? '' : `\n${notes}\n`}`;
}

function usage({ name, short, aliases, value }: Flag): string {
  const names = [...(short === undefined ? [] : [`-${short}`]), ...[name, ...(aliases ?? [])].map((one) => `--${one}`)];
  return `${names.join(', ')}${value === undefined ? '' : ` ${value}`}`;
}
