/**
 * The tunnel type `ssh-multiplexer`: SSH clients reach every node through one process that is already connected, instead of
 * one process and one handshake with the Proxy for each connection.
 */
import type { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import * as z from 'zod/mini';
import type { Identity } from '../auth/issue.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import { keptNodeOptions } from '../effects/node-options.ts';
import { withDeadline } from '../effects/time.ts';
import { asMachineIdError, MachineIdError, printable } from '../errors.ts';
import { prepareDirectory } from '../files/prepare.ts';
import { writeDirectory } from '../files/write.ts';
import { formatAddress } from '../net/address.ts';
import { listen } from '../net/listen.ts';
import { ownFirst } from '../outputs/identity.ts';
import { AGENT_SOCKET, knownHosts, MULTIPLEXER_SOCKET, multiplexerSshConfig } from '../outputs/ssh-config.ts';
import { requestIdentity } from '../outputs/work.ts';
import { type Destination, destination, type DirectoryDestination } from '../schema/destination.ts';
import { type Field, optionalFlag, pathList, pathText, refuse, text } from '../schema/fields.ts';
import { documentation, key, keys, type ValuesOf } from '../schema/keys.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import { PROXY_SSH_PATH } from '../teleport/ssh-proxy.ts';
import { openTransportConnection } from '../teleport/transport.ts';
import { type BotSession, hostAuthoritiesOf } from './bot.ts';
import { rareLog, refuseClient } from './connections.ts';
import { unavailable } from './proxy-health.ts';
import { keepRenewed } from './renewal.ts';
import { serveAgent } from './ssh-agent.ts';
import { openSshConnections, type SshConnections } from './ssh-connections.ts';
import { carrySession, REFUSAL_PREFIX } from './ssh-session.ts';
import { type TunnelOf, tunnelType } from './tunnel-type.ts';
import { DIAL_TIMEOUT_MS } from './upstream.ts';
import type { TunnelWork } from './work.ts';

/** The command that the ssh_config calls. */
export const MULTIPLEXER_COMMAND = 'ssh-multiplexer-proxy-command';

const directoryOnly: Field<DirectoryDestination> = z.pipe(
  destination,
  z.transform((given: Destination, context) =>
    given.type === 'directory' ? given : refuse(context, 'destination: must be of type `directory`', ['type']),
  ),
);

const multiplexerKeys = keys({
  destination: key(
    'destination',
    directoryOnly,
    documentation('The directory for `ssh_config`, `known_hosts` and the sockets.'),
  ),
  enableResumption: key(
    'enable_resumption',
    optionalFlag,
    documentation('Accepted; sessions are not resumed when a connection breaks.'),
  ),
  proxyTemplatesPath: key('proxy_templates_path', pathText, documentation('Not supported yet.')),
  proxyCommand: key(
    'proxy_command',
    pathList,
    documentation('A program that passes on its connection to the socket, such as `fdpass-teleport`.'),
  ),
  relayServer: key('relay_server', text, documentation('Not supported yet.')),
});

type SshMultiplexer = TunnelOf<'ssh-multiplexer', ValuesOf<typeof multiplexerKeys>>;

export const sshMultiplexer = tunnelType('ssh-multiplexer', {
  help: documentation('Every node, for `ssh`, `scp`, Ansible and other programs that use OpenSSH.'),
  keys: multiplexerKeys,
  resource: () => 'ssh',
  open,
});

interface Issued {
  readonly identity: Identity;
  readonly facts: ClusterFacts;
  readonly clusterName: string;
  /** The cluster that was joined first. */
  readonly clusters: ReturnType<typeof ownFirst>;
  readonly hostAuthoritiesPem: readonly string[];
  readonly expiresAtMs: number;
}

async function open(tunnel: SshMultiplexer, work: TunnelWork) {
  const { bot, clock, files, log, name, program, record, signal } = work;
  refuseUnsupported(tunnel);
  const { path, warnings } = await prepareDirectory(files, tunnel.destination, program.workingDirectory, record);
  for (const warning of warnings) log.warn(warning);
  const clients = { sessions: waitingRoom(), agents: waitingRoom() };
  const shared = { files, record, signal };
  const listeners = await Promise.all([
    listen(socketAt(path, MULTIPLEXER_SOCKET), { ...shared, onConnection: clients.sessions.enter }),
    listen(socketAt(path, AGENT_SOCKET), { ...shared, onConnection: clients.agents.enter }),
  ]);
  const close = () => {
    for (const listener of listeners) void listener.close();
  };
  signal.addEventListener('abort', close, { once: true });
  try {
    let written = '';
    const renewed = await keepRenewed(
      async () => {
        const issued = await bot.withSession((session) => issue(tunnel, session));
        written = await writeFiles(tunnel, path, issued, { work, written });
        return issued;
      },
      { what: `the certificate of ${name}`, clock, log, signal },
    );
    const current = () => renewed.current();
    const connections = openSshConnections({ current, dial: (issued) => dial(issued, work) });
    signal.addEventListener('abort', connections.close, { once: true });
    clients.agents.open((client) => {
      serveAgent(client, () => current().identity);
    });
    clients.sessions.open(server(work, current, connections));
    return {
      address: path,
      target: `the nodes of ${current().clusterName}`,
      probe: (until: AbortSignal) => probe(connections, until),
      clientVariables: new Map<string, string>(),
      expiresAtMs: renewed.expiresAtMs,
      renewalFailure: renewed.failure,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** A run leaves the tunnel out, so its file may have them. */
function refuseUnsupported({ path, proxyTemplatesPath, relayServer }: SshMultiplexer): void {
  const keyName =
    proxyTemplatesPath === undefined
      ? relayServer === undefined
        ? undefined
        : 'relay_server'
      : 'proxy_templates_path';
  if (keyName === undefined) return;
  throw new MachineIdError('OUTPUT_UNSUPPORTED', `${path}.${keyName} is not supported yet by this version`, {
    hint: 'Remove the key: every session goes through the Proxy, to the node and cluster that OpenSSH names.',
  });
}

function socketAt(path: string, name: string) {
  return { kind: 'unix', path: join(path, name) } as const;
}

/** Clients that connect before there is a certificate wait for it. */
function waitingRoom() {
  const waiting: Socket[] = [];
  let serve: ((client: Socket) => void) | undefined;
  return {
    enter: (client: Socket) => {
      // Until it is served, a reset must not crash the process.
      client.on('error', () => undefined);
      if (serve === undefined) waiting.push(client);
      else serve(client);
    },
    open: (chosen: (client: Socket) => void) => {
      serve = chosen;
      for (const client of waiting) chosen(client);
    },
  };
}

async function issue(tunnel: SshMultiplexer, session: BotSession): Promise<Issued> {
  const { joined } = session;
  const [facts, { host }, hostAuthoritiesPem, keyPair] = await Promise.all([
    joined.proxy(),
    session.session.authorities,
    hostAuthoritiesOf(session),
    session.newKey('suite'),
  ]);
  const { identity } = await requestIdentity(tunnel, session, { keyPair, route: undefined });
  const { clusterName } = joined.bot;
  const clusters = ownFirst(host, clusterName);
  return { identity, facts, clusterName, clusters, hostAuthoritiesPem, expiresAtMs: identity.expiresAtMs };
}

interface WriteContext {
  readonly work: TunnelWork;
  /** What was written last. */
  readonly written: string;
}

/** Only when they have changed: a client may be reading them. @returns what is written now */
async function writeFiles(
  { destination: settings, proxyCommand }: SshMultiplexer,
  path: string,
  { clusters, facts }: Issued,
  { work, written }: WriteContext,
): Promise<string> {
  const { files, log, program, record, signal } = work;
  const { bundlePath, commands, environment, nodePath } = program;
  const isOwn = proxyCommand.length === 0;
  const outputs = [
    { name: 'known_hosts', contents: knownHosts(clusters, facts.proxyHost) },
    {
      name: 'ssh_config',
      contents: multiplexerSshConfig(
        {
          destinationPath: path,
          proxyHost: facts.proxyHost,
          serverMajor: facts.serverVersion.major,
          command: isOwn ? [nodePath, bundlePath, MULTIPLEXER_COMMAND] : proxyCommand,
          nodeOptions: isOwn ? keptNodeOptions(environment.NODE_OPTIONS) : undefined,
          passesDescriptor: !isOwn,
        },
        clusters.map(({ clusterName }) => clusterName),
      ),
    },
  ];
  const text = JSON.stringify(outputs);
  if (text === written) return text;
  for (const warning of await writeDirectory({ files, commands, record, signal }, settings, resolve(path), outputs)) {
    log.warn(warning);
  }
  return text;
}

function dial({ facts, hostAuthoritiesPem, identity }: Issued, { proxy, signal }: TunnelWork) {
  const { address: webAddress, network, trace, upgrades } = proxy;
  const { tlsRouting } = facts;
  const address = tlsRouting ? webAddress : facts.sshAddress;
  const waitingFor = `the Proxy ${formatAddress(address)}`;
  return withDeadline({ waitingFor, timeoutMs: DIAL_TIMEOUT_MS, unreached: address, signal }, (until) =>
    openTransportConnection({
      address,
      network,
      upgrades: tlsRouting ? upgrades : undefined,
      certificatePem: identity.tlsCertificatePem,
      privateKeyPem: privateKeyPem(identity.keyPair),
      hostAuthoritiesPem,
      signal: until,
      trace,
    }),
  );
}

/** The Proxy accepts a connection with the certificate. The call is closed before it names a node. */
async function probe(connections: SshConnections, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  (await connections.open(PROXY_SSH_PATH)).close();
}

/** Returns what to do with a connection of a client. It never throws. */
function server(work: TunnelWork, current: () => Issued, connections: SshConnections): (client: Socket) => void {
  const { clock, counts, health, log, maxConnections, proxy, signal } = work;
  const warn = rareLog(log, () => clock.nowMs());
  const fail = (client: Socket, message: string) => {
    counts.lastError = { message, atMs: clock.nowMs() };
    warn(message);
    // After a byte of the node, a client would take it for a part of SSH.
    refuseClient(client, message, client.bytesWritten === 0 ? refuseSession : undefined);
  };
  const carry = async (client: Socket) => {
    const { clusterName, facts } = current();
    const address = facts.tlsRouting ? proxy.address : facts.sshAddress;
    const openCall = () => connections.open(PROXY_SSH_PATH);
    await carrySession(client, { clusterName, proxyHost: facts.proxyHost, proxy: address, openCall, signal });
  };
  return (client) => {
    counts.total += 1;
    const problem = health.problem();
    const isFull = counts.open >= maxConnections;
    if (problem !== undefined || isFull) {
      counts.refused += 1;
      const name = `the Proxy ${formatAddress(proxy.address)}`;
      const reason = problem === undefined ? undefined : unavailable(name, problem).message;
      fail(client, reason ?? `${maxConnections} sessions are open, which is the limit`);
      return;
    }
    counts.open += 1;
    carry(client)
      .catch((cause: unknown) => {
        if (signal.aborted) {
          client.destroy();
          return;
        }
        counts.broken += 1;
        const error = asMachineIdError(cause);
        if (error.code !== 'NODE_UNREACHABLE') health.suspect();
        if (!client.destroyed) fail(client, error.message);
      })
      .finally(() => {
        counts.open -= 1;
        counts.sentBytes += client.bytesRead;
        counts.receivedBytes += client.bytesWritten;
      });
  };
}

/** Before the version of a server, an SSH client skips other lines; our own proxy command prints this one. */
function refuseSession(client: Socket, reason: string): void {
  client.end(`${REFUSAL_PREFIX}${printable(reason)}\r\n`);
}
