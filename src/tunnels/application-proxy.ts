/** The tunnel type `application-proxy`: programs reach every application by its name, through one HTTP proxy. */
import type { Socket } from 'node:net';
import { asMachineIdError, MachineIdError } from '../errors.ts';
import { formatAddress } from '../net/address.ts';
import { type ForwardTarget, forwardProxy, KeptConnections } from '../net/http-forward.ts';
import { listen, listenText } from '../net/listen.ts';
import { duration, section } from '../schema/fields.ts';
import { documentation, key, keys, type ValuesOf } from '../schema/keys.ts';
import { issueForApplication, type IssuedApplication } from './application-tunnel.ts';
import { closeIfSilent, warnAboutOthers } from './byte-tunnel.ts';
import { rareLog, refuseClient, whyRefused } from './connections.ts';
import { httpWire } from './http-wire.ts';
import { listenField, writeListenAddress } from './listen-address.ts';
import { relay } from './relay.ts';
import { keepRenewed, type Renewed } from './renewal.ts';
import { type OpenTunnel, type TunnelOf, tunnelType } from './tunnel-type.ts';
import { openUpstream, type Upstream, upstreamFailure } from './upstream.ts';
import type { TunnelWork } from './work.ts';

/** tbot nests these two here, unlike anywhere else. */
const lifetime = section({ credential_ttl: duration, renewal_interval: duration });

const proxyKeys = keys({
  listen: key('listen', listenField, documentation('Where to listen: `tcp://host:port` or `unix:///path`.'), {
    write: writeListenAddress,
  }),
  credentialLifetime: key(
    'credential_lifetime',
    lifetime,
    documentation('`credential_ttl` of each certificate, instead of that of the file; `renewal_interval` is ignored.'),
  ),
});

type ApplicationProxy = TunnelOf<'application-proxy', ValuesOf<typeof proxyKeys>>;

export const applicationProxy = tunnelType('application-proxy', {
  help: documentation(
    'Every HTTP application, by an HTTP proxy that takes the application from the host: `http://NAME/`.',
  ),
  keys: proxyKeys,
  takesRoles: false,
  resource: () => undefined,
  open,
});

async function open(tunnel: ApplicationProxy, work: TunnelWork): Promise<OpenTunnel> {
  const { bot, files, proxy, record, signal } = work;
  const applications = new Applications(tunnel, work);
  const server = forwardProxy({
    find: (host) => applications.find(host),
    carry: (client, target) => {
      void carry(client, target, work); // never rejects
    },
    onFailure: (error) => {
      applications.report(error);
    },
  });
  const listener = await listen(tunnel.listen, {
    files,
    record,
    signal,
    onConnection: (client) => {
      accept(client, work, server);
    },
  });
  const close = () => {
    void listener.close();
  };
  signal.addEventListener('abort', close, { once: true });
  warnAboutOthers(listener.address, work);
  return {
    address: listenText(listener.address),
    target: `applications at ${formatAddress(proxy.address)}`,
    // No application is known yet: the cluster has to answer.
    probe: async () => {
      await bot.withSession(({ session }) => session.serverVersion);
    },
    clientVariables: new Map(),
    expiresAtMs: () => applications.first()?.expiresAtMs(),
    renewalFailure: () => applications.first()?.failure(),
  };
}

type Server = ReturnType<typeof forwardProxy>;

function accept(client: Socket, work: TunnelWork, server: Server): void {
  const { clock, counts, name, signal } = work;
  client.on('error', () => undefined); // its end is counted below
  counts.total += 1;
  const reason = whyRefused(work);
  if (reason !== undefined) {
    counts.refused += 1;
    counts.lastError = { message: reason, atMs: clock.nowMs() };
    refuseClient(client, `machine-id tunnel ${name}: ${reason}`, httpWire('').refuse);
    return;
  }
  counts.open += 1;
  const end = () => {
    client.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  client.once('close', () => {
    signal.removeEventListener('abort', end);
    counts.open -= 1;
    counts.sentBytes += client.bytesRead;
    counts.receivedBytes += client.bytesWritten;
  });
  server.emit('connection', client);
  client.resume(); // nothing has been read from it yet
}

/** WebSocket, and the bytes after `CONNECT`. */
async function carry(client: Socket, target: Socket, { counts, log, health, proxy, clock }: TunnelWork): Promise<void> {
  const { error } = await relay(client, target);
  if (error === undefined) return;
  const { message } = upstreamFailure(proxy, error);
  counts.broken += 1;
  counts.lastError = { message, atMs: clock.nowMs() };
  log.warn(`a connection broke: ${message}`);
  health.suspect();
}

/** An application that was asked for, with its certificate. */
interface Opened {
  readonly issued: Renewed<Issued>;
  readonly upstream: Upstream;
  /** For requests, with the newest certificate that was asked for. */
  kept?: { readonly certificate: Issued; readonly connections: KeptConnections };
}

type Issued = IssuedApplication['certificate'] & { readonly isTcp: boolean };

/** Of hosts that clients have asked for; each has a certificate that is renewed. */
const MAX_APPLICATIONS = 200;

class Applications {
  readonly #tunnel: ApplicationProxy;
  readonly #work: TunnelWork;
  readonly #opened = new Map<string, Promise<Opened>>();
  readonly #ready = new Set<Opened>();
  readonly #warn: (message: string) => void;

  constructor(tunnel: ApplicationProxy, work: TunnelWork) {
    this.#tunnel = tunnel;
    this.#work = work;
    this.#warn = rareLog(work.log, () => work.clock.nowMs());
  }

  /** @param host the name of an application, or that name below the host of the Proxy, which is its address in a browser */
  async find(host: string): Promise<ForwardTarget> {
    const { proxy } = this.#work;
    const suffix = `.${proxy.address.host}`;
    const name = host.endsWith(suffix) ? host.slice(0, -suffix.length) : host;
    const opened = await this.#open(name);
    const certificate = opened.issued.current();
    if (opened.kept?.certificate !== certificate) {
      // The Proxy ends the session of an application with its certificate, whatever is still connected.
      opened.kept?.connections.retire();
      opened.kept = { certificate, connections: new KeptConnections(() => this.#connect(opened)) };
    }
    return {
      isHttp: !certificate.isTcp,
      connect: () => this.#connect(opened),
      kept: opened.kept.connections,
    };
  }

  async #connect({ upstream }: Opened): Promise<Socket> {
    const { signal } = this.#work;
    const connection = await upstream.connect(signal);
    const stopWatching = closeIfSilent(connection, connection, this.#work);
    const end = () => {
      connection.destroy();
    };
    signal.addEventListener('abort', end, { once: true });
    connection.once('close', () => {
      stopWatching();
      signal.removeEventListener('abort', end);
    });
    return connection;
  }

  /** A request that was not forwarded. */
  report(error: unknown): void {
    const { clock, counts, health } = this.#work;
    const { code, message } = asMachineIdError(error);
    counts.lastError = { message, atMs: clock.nowMs() };
    this.#warn(`a request failed: ${message}`);
    if (code !== 'REQUEST_REFUSED' && code !== 'RESOURCE_UNKNOWN') health.suspect();
  }

  /** The certificate that expires first. */
  first(): Renewed<Issued> | undefined {
    const all = [...this.#ready].map(({ issued }) => issued);
    return all.sort((a, b) => a.expiresAtMs() - b.expiresAtMs())[0];
  }

  #open(name: string): Promise<Opened> {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    if (this.#opened.size >= MAX_APPLICATIONS) {
      const message = `${MAX_APPLICATIONS} applications are open, which is the limit; ${name} is one more`;
      throw new MachineIdError('REQUEST_REFUSED', message, { hint: 'Open a second tunnel for further applications.' });
    }
    const opening = this.#issue(name);
    this.#opened.set(name, opening);
    // The next request tries again.
    opening.then(
      (opened) => this.#ready.add(opened),
      () => this.#opened.delete(name),
    );
    return opening;
  }

  async #issue(name: string): Promise<Opened> {
    const { bot, clock, log, proxy, signal } = this.#work;
    const { credentialLifetime, path, ttlMs } = this.#tunnel;
    const lifetime = { roles: [], ttlMs: credentialLifetime.credential_ttl ?? ttlMs };
    const what = `the certificate of ${name}`;
    const issue = async () => {
      const { certificate, isTcp } = await bot.withSession((session) =>
        issueForApplication(lifetime, { name, location: path }, session),
      );
      return { ...certificate, isTcp };
    };
    const issued = await keepRenewed(issue, { what, clock, log, signal });
    const alpn = issued.current().isTcp ? 'teleport-tcp' : 'http/1.1';
    return { issued, upstream: openUpstream(proxy, { alpn }, () => issued.current()) };
  }
}
