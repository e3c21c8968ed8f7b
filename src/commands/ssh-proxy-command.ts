/** `ssh-proxy-command`: OpenSSH runs it, through our ssh_config, to reach a node. */
import { resolve } from 'node:path';
import { DEBUG, debugTrace, type Flag, flagsOf, type GivenFlags, parseFlags } from '../cli/flags.ts';
import { WITHOUT_PUBLIC_AUTHORITIES } from '../effects/node-options.ts';
import { createLog } from '../effects/log.ts';
import { RETRY_POLICY, startRetries } from '../effects/retry.ts';
import { isReaderGone, stdoutUnwritable } from '../effects/streams.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, type Problem } from '../errors.ts';
import { parseAddress } from '../net/address.ts';
import { openNetwork } from '../net/network.ts';
import { type WebTrust, webTrust } from '../net/trust.ts';
import { openUpgrades, type Upgrades, type UpgradeSettings } from '../teleport/connection-upgrade.ts';
import { PROXY_SSH_PATH, proxySsh, type SshTarget } from '../teleport/ssh-proxy.ts';
import { dialTransport, type TransportDial } from '../teleport/transport.ts';
import { identityUnreadable, readDestinationIdentity } from './kube-credentials.ts';

export const SSH_PROXY_FLAGS: readonly Flag[] = [
  { name: 'destination-dir', value: 'DIR', help: 'Directory with an identity output of run.' },
  { name: 'proxy-server', value: 'HOST:PORT', help: 'Address of the Proxy, for SSH.' },
  { name: 'cluster', value: 'NAME', help: 'Cluster of the node: the joined cluster or one of its leaf clusters.' },
  { name: 'user', value: 'LOGIN', help: 'Login on the node (%r).' },
  { name: 'host', value: 'NODE', help: 'Node, with or without ".CLUSTER" at its end (%h).' },
  { name: 'port', value: 'PORT', help: 'Port of the node (%p).' },
  { name: 'tls-routing', help: 'The Proxy serves all protocols on one port.' },
  { name: 'no-tls-routing', help: "The address is the Proxy's SSH listener." },
  { name: 'connection-upgrade', help: 'A load balancer terminates TLS: upgrade connections to pass it.' },
  { name: 'no-connection-upgrade', help: 'Upgrade a connection only if a direct one fails.' },
  { name: 'ca-file', value: 'FILE', help: 'PEM of the authorities for an upgraded connection.' },
  { name: 'insecure', help: 'Accept any certificate for an upgraded connection.' },
  { name: 'resume', help: 'Accepted; sessions are not resumed.' },
  { name: 'no-resume', help: 'Accepted; sessions are not resumed.' },
  ...flagsOf({ debug: DEBUG }),
];

const REQUIRED = ['destination-dir', 'proxy-server', 'cluster', 'user', 'host', 'port'];
const LIMITS = { timeoutMs: 30_000, deadlineMs: RETRY_POLICY.deadlineMs };
const WEB_PORT = 443;
const MAX_CA_FILE_BYTES = 1024 * 1024;

/** @throws MachineIdError USAGE_INVALID, IDENTITY_UNREADABLE, and what dialing and proxying throw */
export async function sshProxyCommand(args: readonly string[], world: World): Promise<void> {
  const given = parseFlags(SSH_PROXY_FLAGS, args);
  const { address, directory, target } = readArguments(given, world);
  const { authoritiesPem, certificatePem, privateKeyPem } = await readDestinationIdentity(world, directory);
  if (authoritiesPem.length === 0) throw identityUnreadable(`the identity in ${directory} contains no host authority`);
  const { clock, random, signal, stderr } = world;
  const log = createLog(stderr, { format: 'text', debug: false, nowMs: () => clock.nowMs() });
  const trust = () => trustOf(given, world);
  const network = openNetwork({ ...world, authorities: async () => (await trust()).elsewhere?.() });
  const trace = debugTrace(args, world);
  const dial = {
    address,
    network,
    upgrades: upgradesOf(given, { network, trace, trust }, world),
    certificatePem,
    privateKeyPem,
    hostAuthoritiesPem: authoritiesPem,
    retries: startRetries({ ...LIMITS, clock, random, log, signal }),
    signal,
    trace,
  };
  try {
    await connect(dial, target, world);
  } catch (error) {
    // OpenSSH ends its ProxyCommand with SIGHUP after every session, also a successful one: nothing to report.
    if (!world.signal.aborted) throw error;
  }
}

/** Of the web certificate; read only for a connection upgrade or an https:// proxy: the identity has the host authorities. */
function trustOf(given: GivenFlags, world: World): Promise<WebTrust> {
  const { files, signal } = world;
  const readText = (path: string) => files.readInput(path, { maxBytes: MAX_CA_FILE_BYTES, signal });
  const isListMissing = world.nodeArguments.includes(WITHOUT_PUBLIC_AUTHORITIES);
  return webTrust({
    ...world,
    isListMissing,
    caFile: given.get('ca-file')?.[0],
    insecure: given.has('insecure'),
    readText,
  });
}

/** An SSH listener has none. `run` has found out whether the web port needs the upgrade, or the user says so. */
function upgradesOf(
  given: GivenFlags,
  connection: Pick<UpgradeSettings, 'network' | 'trace' | 'trust'>,
  { environment }: World,
): Upgrades | undefined {
  if (given.has('no-tls-routing')) return undefined;
  return openUpgrades({ ...connection, environment }, given.has('connection-upgrade'));
}

async function connect(dial: TransportDial, target: SshTarget, world: World): Promise<void> {
  const call = await dialTransport(dial, PROXY_SSH_PATH);
  try {
    await proxySsh(
      target,
      { input: world.stdin(), write: (parts) => world.writeStdout(parts).catch(clientFailure) },
      { call, proxy: dial.address, signal: world.signal },
    );
  } catch (error) {
    // OpenSSH has exited: the session is over, and there is nothing to report to.
    if (!isClientGone(error)) throw error;
  } finally {
    call.close();
  }
}

function clientFailure(cause: unknown): never {
  throw stdoutUnwritable(cause);
}

function isClientGone(error: unknown): boolean {
  return error instanceof MachineIdError && error.code === 'STDOUT_UNWRITABLE' && isReaderGone(error.cause);
}

interface SshProxyArguments {
  readonly address: { readonly host: string; readonly port: number };
  /** Absolute. */
  readonly directory: string;
  readonly target: SshTarget;
}

function readArguments(given: GivenFlags, { workingDirectory }: World): SshProxyArguments {
  const problems: Problem[] = [];
  const text = (name: string) => given.get(name)?.[0] ?? '';
  for (const name of REQUIRED) if (text(name) === '') problems.push({ path: `--${name}`, message: 'is missing' });
  const address = parseAddress(text('proxy-server'), WEB_PORT);
  if (address === undefined && text('proxy-server') !== '')
    problems.push({ path: '--proxy-server', message: 'must be host:port' });
  const port = /^\d{1,5}$/.test(text('port')) ? Number(text('port')) : -1;
  if (text('port') !== '' && (port < 0 || port > 65_535))
    problems.push({ path: '--port', message: 'must be a port number' });
  if (address === undefined || problems.length > 0) {
    throw new MachineIdError('USAGE_INVALID', 'the command line is invalid', {
      hint: 'This command is meant for the ProxyCommand line of the ssh_config that run writes.',
      problems,
    });
  }
  const cluster = text('cluster');
  const host = nodeName(text('host'), cluster, address.host);
  return {
    address,
    directory: resolve(workingDirectory, text('destination-dir')),
    target: { cluster, host, port, login: text('user') },
  };
}

/** Users give OpenSSH `<node>.<cluster>`; the Proxy expects the name of the node alone. */
function nodeName(host: string, cluster: string, proxyHost: string): string {
  return withoutSuffix(withoutSuffix(host, `.${proxyHost}`), `.${cluster}`);
}

function withoutSuffix(text: string, suffix: string): string {
  return text.endsWith(suffix) && text.length > suffix.length ? text.slice(0, -suffix.length) : text;
}
