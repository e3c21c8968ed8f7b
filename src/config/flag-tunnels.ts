/** The tunnels that flags of the command `tunnel` request. */
import { join } from 'node:path';
import type { ListenAddress } from '../net/listen.ts';
import { COMMON_DEFAULTS } from '../schema/common.ts';
import { plainDirectory } from '../schema/destination.ts';
import { KUBECONFIG_NAME } from '../tunnels/kubernetes-tunnel.ts';
import { readListenAddress } from '../tunnels/listen-address.ts';
import { type Findings, named, type Setting } from './findings.ts';
import type { PlacedItem } from './items.ts';
import type { Settings } from './settings.ts';
import type { TunnelFlags } from './source.ts';

/** A free port, for this machine alone. */
const FREE_PORT: ListenAddress = { kind: 'tcp', host: '127.0.0.1', port: 0 };

/** Each of the flags that request a tunnel adds one; with one of them, `--listen` and `--name` are its own. */
export function readFlagTunnels(
  own: Settings,
  given: TunnelFlags,
  findings: Findings,
): Setting<readonly PlacedItem[]> | undefined {
  const listen = readListen(given, findings);
  const items = [
    ...databaseTunnel(own, listen, findings),
    ...applicationTunnel(own, listen),
    ...applicationProxy(given, listen),
    ...kubernetesTunnel(own, listen),
    ...sshMultiplexer(own, given, findings),
  ];
  checkDestination(own, items, findings);
  const [first, second] = items;
  for (const [flag, value] of [
    ['--listen', given.listen],
    ['--name', given.name],
  ] as const) {
    if (value === undefined) continue;
    if (first === undefined) {
      findings.addProblem(
        named(flag),
        'needs a flag that requests a tunnel, such as --database NAME: a file has this setting itself',
      );
    }
    if (second !== undefined) {
      findings.addProblem(
        named(flag),
        `is for one tunnel, but ${first?.path} and ${second.path} request two: use a file, or call the command twice`,
      );
    }
  }
  checkName(given, findings);
  if (first === undefined) return undefined;
  return { value: items.map((item) => ({ ...item, name: given.name })), origin: named(first.path) };
}

function readListen({ listen }: TunnelFlags, findings: Findings): ListenAddress {
  if (listen === undefined) return FREE_PORT;
  const found = readListenAddress(listen);
  if (typeof found !== 'string') return found;
  findings.addProblem(named('--listen'), found);
  return FREE_PORT;
}

function checkName({ name }: TunnelFlags, findings: Findings): void {
  if (name === undefined || /^[A-Za-z0-9_+-]+$/.test(name)) return;
  findings.addProblem(named('--name'), `invalid name: "${name}"; use only letters, digits, "-", "_" and "+"`);
}

const COMMON = { ...COMMON_DEFAULTS, line: undefined };

function databaseTunnel(
  { database, databaseName, databaseUser }: Settings,
  listen: ListenAddress,
  findings: Findings,
): readonly PlacedItem[] {
  if (database === undefined) {
    for (const lone of [databaseUser, databaseName]) {
      if (lone !== undefined)
        findings.addProblem(lone.origin, 'needs --database NAME, the name of the database in Teleport');
    }
    return [];
  }
  if (databaseUser === undefined) findings.addProblem(named('--database-user'), 'is missing: the user to log in as');
  if (databaseName === undefined) {
    findings.addProblem(
      named('--database-name'),
      'is missing: the name of the database on that server, any name where it has none',
    );
  }
  return [
    {
      ...COMMON,
      type: 'database-tunnel',
      listen,
      service: database.value,
      database: databaseName?.value ?? '',
      username: databaseUser?.value ?? '',
      path: '--database',
    },
  ];
}

function applicationTunnel({ application }: Settings, listen: ListenAddress): readonly PlacedItem[] {
  if (application === undefined) return [];
  return [{ ...COMMON, type: 'application-tunnel', listen, appName: application.value, path: '--application' }];
}

const FILE_LIFETIME = { credential_ttl: undefined, renewal_interval: undefined };

function applicationProxy(
  { applicationProxy: isWanted = false }: TunnelFlags,
  listen: ListenAddress,
): readonly PlacedItem[] {
  if (!isWanted) return [];
  const path = '--application-proxy';
  return [{ ...COMMON, type: 'application-proxy', listen, credentialLifetime: FILE_LIFETIME, path }];
}

function kubernetesTunnel(
  { destination, kubernetesCluster: cluster }: Settings,
  listen: ListenAddress,
): readonly PlacedItem[] {
  if (cluster === undefined) return [];
  const path = '--kubernetes-cluster';
  const folder = destination?.value.type === 'directory' ? destination.value.path : undefined;
  const kubeconfig = folder === undefined ? undefined : join(folder, KUBECONFIG_NAME);
  return [{ ...COMMON, type: 'kubernetes-tunnel', listen, kubernetesCluster: cluster.value, kubeconfig, path }];
}

/** It listens at sockets of the destination. */
function sshMultiplexer(
  { destination }: Settings,
  { listen, sshMultiplexer: isWanted = false }: TunnelFlags,
  findings: Findings,
): readonly PlacedItem[] {
  if (!isWanted) return [];
  const path = '--ssh-multiplexer';
  if (listen !== undefined)
    findings.addProblem(named('--listen'), `is not for ${path}, whose sockets are in --destination`);
  const isGiven = destination?.value.type === 'directory';
  if (!isGiven && !findings.hasProblemAt('--destination')) {
    findings.addProblem(
      named('--destination'),
      `${path} needs --destination DIR, the folder for its ssh_config and sockets`,
    );
  }
  return [
    {
      ...COMMON,
      type: 'ssh-multiplexer',
      destination: isGiven ? destination.value : plainDirectory('.'),
      enableResumption: undefined,
      proxyCommand: [],
      proxyTemplatesPath: undefined,
      relayServer: undefined,
      path,
    },
  ];
}

/** Types of tunnels with files. */
const WITH_FILES: readonly string[] = ['kubernetes-tunnel', 'ssh-multiplexer'];

function checkDestination({ destination }: Settings, items: readonly PlacedItem[], findings: Findings): void {
  if (destination === undefined || items.some(({ type }) => WITH_FILES.includes(type))) return;
  if (findings.hasProblemAt('--destination')) return;
  findings.addProblem(
    destination.origin,
    'is for --ssh-multiplexer and --kubernetes-cluster: other tunnels write no files, and a file has this setting itself',
  );
}
