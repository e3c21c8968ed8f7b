/** The flags of `tunnel`: those of `run` that say which cluster to join and how, and its own. */
import { type Flag, flagsOf, type GivenFlags, parseFlags } from '../../cli/flags.ts';
import type { Declarations } from '../../config/declaration.ts';
import type { TunnelFlags } from '../../config/source.ts';
import { MachineIdError } from '../../errors.ts';
import { documentation } from '../../schema/keys.ts';
import { readRunArguments, RUN, type RunArguments } from '../run-flags.ts';

const DEFAULT_READY_S = 30;
/** Each has two file descriptors. */
const DEFAULT_CONNECTIONS = 4000;

/** What `run` does not have, or declares differently. */
export const TUNNEL_OPTIONS = {
  database: {
    ...RUN.database,
    help: 'Database to open a tunnel to, instead of the tunnels of the file. Needs its user and its name.',
  },
  application: { ...RUN.application, help: 'Application to open a tunnel to, instead of the tunnels of the file.' },
  kubernetesCluster: {
    ...RUN.kubernetesCluster,
    orb: { name: 'kubernetes_cluster' },
    help: 'Kubernetes cluster to open a tunnel to, instead of the tunnels of the file: kubectl -s http://ADDRESS.',
  },
  destination: {
    ...RUN.destination,
    orb: { name: 'destination', more: documentation('Keep it outside the checkout.') },
    help: 'Folder for the files of that tunnel: ssh_config, known_hosts and sockets of the SSH multiplexer, or kubeconfig.yaml of a Kubernetes cluster.',
  },
  sshMultiplexer: {
    flag: 'ssh-multiplexer',
    orb: { name: 'ssh_multiplexer', type: 'boolean' },
    help: 'Carry SSH sessions to every node over one connection, instead of the tunnels of the file: ssh -F ssh_config, in the folder of the destination.',
  },
  applicationProxy: {
    flag: 'application-proxy',
    orb: { name: 'application_proxy', type: 'boolean' },
    help: 'Open an HTTP proxy that leads to every application, as http://NAME/, instead of the tunnels of the file.',
  },
  listen: {
    flag: 'listen',
    value: 'ADDRESS',
    orb: { name: 'listen', more: documentation('Empty means a free port of 127.0.0.1.') },
    help: 'Where that tunnel listens: tcp://HOST:PORT, or unix:///PATH for a socket. Port 0 is a free one.',
    preset: 'tcp://127.0.0.1:0',
  },
  name: {
    flag: 'name',
    value: 'NAME',
    orb: {
      name: 'tunnel_name',
      more: documentation('Empty means the name of the database, application or cluster, application-proxy, or ssh.'),
    },
    help: 'Name of that tunnel: MACHINE_ID_TUNNEL_<NAME> is the variable with its address.',
  },
  readyTimeout: {
    flag: 'ready-timeout',
    value: 'SECONDS',
    orb: { name: 'ready_timeout', type: 'integer', default: DEFAULT_READY_S },
    help: 'How many seconds each tunnel has until it is ready: it listens, and its other end has answered once.',
    preset: String(DEFAULT_READY_S),
  },
  maxConnections: {
    flag: 'max-connections',
    value: 'NUMBER',
    orb: { name: 'max_connections', type: 'integer', default: DEFAULT_CONNECTIONS },
    help: 'How many connections each tunnel carries at the same time; further ones are refused.',
    preset: String(DEFAULT_CONNECTIONS),
  },
  exportClientVariables: {
    flag: 'export-client-variables',
    orb: { name: 'export_client_variables', type: 'boolean' },
    help: 'Also export the variables by which client programs find a tunnel: PGHOST, PGPORT, PGUSER, PGDATABASE and PGSSLMODE, MYSQL_HOST and MYSQL_TCP_PORT, REDIS_URL, or KUBECONFIG if a file is written for it.',
  },
  foreground: {
    flag: 'foreground',
    help: 'Keep running until a signal ends it, as in a background step, instead of starting a process that outlives the step.',
  },
} as const satisfies Declarations;

/** About files that a run writes. */
const OF_OUTPUTS: readonly string[] = ['engine', 'refresh', 'report', 'ssh', 'storage'];

export const TUNNEL: Declarations = {
  ...Object.fromEntries(Object.entries(RUN).filter(([name]) => !OF_OUTPUTS.includes(name))),
  ...TUNNEL_OPTIONS,
};

export const TUNNEL_FLAGS: readonly Flag[] = flagsOf(TUNNEL);

export interface TunnelArguments extends RunArguments {
  readonly tunnelFlags: TunnelFlags;
  readonly readyTimeoutMs: number;
  readonly maxConnections: number;
  readonly isForeground: boolean;
  readonly exportsClientVariables: boolean;
}

/** @throws MachineIdError USAGE_INVALID */
export function readTunnelArguments(args: readonly string[]): TunnelArguments {
  const given = parseFlags(TUNNEL_FLAGS, args);
  const [listen, name] = [TUNNEL_OPTIONS.listen, TUNNEL_OPTIONS.name].map(({ flag }) => given.get(flag)?.[0]);
  return {
    ...readRunArguments(args, TUNNEL_FLAGS),
    tunnelFlags: {
      listen,
      name,
      applicationProxy: given.has(TUNNEL_OPTIONS.applicationProxy.flag),
      sshMultiplexer: given.has(TUNNEL_OPTIONS.sshMultiplexer.flag),
    },
    readyTimeoutMs:
      wholeNumber(given, TUNNEL_OPTIONS.readyTimeout.flag, { preset: DEFAULT_READY_S, most: 3600 }) * 1000,
    maxConnections: wholeNumber(given, TUNNEL_OPTIONS.maxConnections.flag, {
      preset: DEFAULT_CONNECTIONS,
      most: 100_000,
    }),
    isForeground: given.has(TUNNEL_OPTIONS.foreground.flag),
    exportsClientVariables: given.has(TUNNEL_OPTIONS.exportClientVariables.flag),
  };
}

function wholeNumber(
  given: GivenFlags,
  flag: string,
  { most, preset }: { readonly preset: number; readonly most: number },
): number {
  const [text] = given.get(flag) ?? [];
  if (text === undefined) return preset;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value > 0 && value <= most) return value;
  throw new MachineIdError(
    'USAGE_INVALID',
    `--${flag} must be a whole number from 1 to ${most}, got ${JSON.stringify(text)}`,
    {
      hint: `Leave it out for ${preset}.`,
    },
  );
}
