/** Probes a server step by step (name, port, first bytes, TLS), without sending anything beyond a handshake. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { checkServerIdentity, connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { withDeadline } from '../effects/time.ts';
import { type Address, formatAddress } from './address.ts';
import type { Purpose } from './egress-proxy.ts';
import type { Network } from './network.ts';
import { trustOptions, type WebTrust } from './trust.ts';

/** All addresses of a host, as the system resolves them; rejects with Node's own error. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

interface ProbeOptions {
  readonly network: Network;
  readonly signal: AbortSignal;
}

/** Resolves with the address that it connected to; rejects with Node's own error or the signal's reason. */
export async function probeTcp(address: Address, { network, signal }: ProbeOptions): Promise<string> {
  const socket = await network.open(address, { signal, for: 'cluster' });
  const reached = socket.remoteAddress ?? address.host;
  socket.destroy();
  return reached;
}

export interface TlsFacts {
  /** `TLSv1.3` */
  readonly protocol: string;
  readonly cipher: string;
  /** The ALPN protocol that the server chose. */
  readonly alpn: string | undefined;
  /** Why the chain is not trusted, as an OpenSSL or Node error code; undefined if it is trusted. */
  readonly verifyError: string | undefined;
  /** Whether the certificate has the expected name, even if its chain is not trusted. */
  readonly nameFits: boolean;
  /** Leaf first; may be incomplete. */
  readonly chain: readonly ChainLink[];
}

export interface ChainLink {
  readonly subject: string;
  readonly issuer: string;
  readonly names: string;
  readonly notAfter: string;
}

export interface HandshakeOptions {
  readonly alpn: readonly string[];
  /** SNI; undefined sends none. */
  readonly serverName: string | undefined;
  /** The name that the certificate must have. */
  readonly certificateName: string;
  /** PEM of the only trusted authorities; defaults to Node's own list. */
  readonly ca: string | readonly string[] | undefined;
  readonly signal: AbortSignal;
}

/** Completes the TLS handshake even if the certificate is not trusted, so that the caller can describe it. */
export async function probeTls(
  address: Address,
  { alpn, network, signal, trust }: ProbeOptions & { readonly alpn: string; readonly trust: WebTrust },
): Promise<TlsFacts> {
  const { host } = address;
  const serverName = isIP(host) === 0 ? host : undefined;
  const carrier = await network.open(address, { signal, for: 'cluster' });
  return handshake(carrier, { alpn: [alpn], serverName, certificateName: host, ca: trust.ca, signal });
}

export interface ProbeTarget {
  readonly address: Address;
  readonly purpose: Purpose;
  /** Addresses of its host, empty for a connection through a proxy; several targets may share one lookup. */
  readonly addresses: Promise<readonly string[]>;
  /** Opens a connection inside another one, in which the first byte is sent; by default the network opens it. */
  readonly openInside?: ((signal: AbortSignal) => Promise<Duplex>) | undefined;
  /** What to send first: a ClientHello for `tls`, an SSLRequest for `postgres`; `ssh` and `mysql` servers speak first; `tcp` only connects. */
  readonly protocol: 'tls' | 'ssh' | 'postgres' | 'mysql' | 'tcp';
  /** Used for `tls`. */
  readonly tls: Omit<HandshakeOptions, 'signal'>;
}

/** How far a probe got, and what stopped it. */
export interface ProbeResult {
  readonly addresses: readonly string[];
  /** The step that did not complete; `done` if all did. `inside` takes the place of `connect` with `openInside`. */
  readonly stoppedAt: 'lookup' | 'connect' | 'inside' | 'answer' | 'done';
  /** The first bytes that the peer sent. */
  readonly received: Buffer;
  readonly tls: TlsFacts | undefined;
  readonly error: unknown;
}

type Progress = { -readonly [Key in keyof ProbeResult]: ProbeResult[Key] };

const KEPT_BYTES = 256;

/** Rejects only if `signal` is aborted: a server that does not respond is a result. */
export async function probe(
  target: ProbeTarget,
  { network, signal, timeoutMs }: ProbeOptions & { readonly timeoutMs: number },
): Promise<ProbeResult> {
  const progress: Progress = {
    addresses: [],
    stoppedAt: 'lookup',
    received: Buffer.alloc(0),
    tls: undefined,
    error: undefined,
  };
  try {
    await withDeadline({ waitingFor: formatAddress(target.address), timeoutMs, signal }, (until) =>
      attempt(target, progress, { network, signal: until }),
    );
  } catch (error) {
    signal.throwIfAborted();
    progress.error = error;
  }
  // Copied because the attempt may still change it for a moment after its deadline.
  return { ...progress };
}

async function attempt(
  { address, addresses, openInside, protocol, purpose, tls }: ProbeTarget,
  progress: Progress,
  { network, signal }: ProbeOptions,
): Promise<void> {
  progress.addresses = await addresses;
  signal.throwIfAborted();
  progress.stoppedAt = openInside === undefined ? 'connect' : 'inside';
  const lookUp = () => addresses;
  const socket =
    openInside === undefined ? await network.open(address, { signal, for: purpose, lookUp }) : await openInside(signal);
  progress.stoppedAt = 'answer';
  try {
    if (protocol === 'tls') progress.tls = await handshake(withTap(socket, progress), { ...tls, signal });
    else if (protocol !== 'tcp')
      await firstBytes(socket, protocol === 'postgres' ? POSTGRES_SSL_REQUEST : undefined, progress);
    progress.stoppedAt = 'done';
  } finally {
    socket.destroy();
  }
}

/** PostgreSQL's SSLRequest message: its length and a reserved version number. */
const POSTGRES_SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex');

function firstBytes(socket: Duplex, request: Buffer | undefined, progress: Progress): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes: Buffer) => {
      keep(progress, bytes);
      resolve();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new Error('the connection was closed without a response'));
    });
    if (request !== undefined) socket.write(request);
  });
}

/** Passes the bytes on and keeps the first ones: if they are not TLS, the TLS error does not say what they were. */
function withTap(socket: Duplex, progress: Progress): Duplex {
  const tap = new Duplex({
    read: () => socket.resume(),
    write: (bytes: Buffer, _encoding, done) => {
      socket.write(bytes, done);
    },
    final: (done) => {
      socket.end(done);
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (bytes: Buffer) => {
    keep(progress, bytes);
    if (!tap.push(bytes)) socket.pause();
  });
  socket.once('end', () => tap.push(null));
  socket.on('error', (error) => tap.destroy(error));
  socket.once('close', () => tap.destroy());
  return tap;
}

function keep(progress: Progress, bytes: Buffer): void {
  if (progress.received.length < KEPT_BYTES) {
    progress.received = Buffer.concat([progress.received, bytes]).subarray(0, KEPT_BYTES);
  }
}

function handshake(
  carrier: Duplex,
  { alpn, ca, certificateName, serverName, signal }: HandshakeOptions,
): Promise<TlsFacts> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) carrier.destroy();
    signal.throwIfAborted();
    const socket = connectTls({
      socket: carrier,
      ALPNProtocols: [...alpn],
      rejectUnauthorized: false,
      checkServerIdentity: (_name, certificate) => checkServerIdentity(certificateName, certificate),
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...trustOptions(ca),
    });
    const onAbort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      reject(new Error('the connection was closed during the TLS handshake'));
    });
    socket.on('error', reject);
    socket.once('secureConnect', () => {
      resolve(factsOf(socket, certificateName));
      socket.destroy();
    });
  });
}

function factsOf(socket: TLSSocket, certificateName: string): TlsFacts {
  const { alpnProtocol, authorizationError, authorized } = socket;
  const leaf = socket.getPeerCertificate(true);
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().name,
    alpn: typeof alpnProtocol === 'string' && alpnProtocol !== '' ? alpnProtocol : undefined,
    verifyError: authorized ? undefined : problemName(authorizationError),
    nameFits: checkServerIdentity(certificateName, leaf) === undefined,
    chain: chainOf(leaf),
  };
}

/** Node's types declare an Error; in fact it is a string for OpenSSL's results and an Error for a name mismatch. */
function problemName(error: unknown): string {
  if (error instanceof Error) return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  return String(error);
}

const MAX_CHAIN_LENGTH = 10;

function chainOf(leaf: DetailedPeerCertificate): readonly ChainLink[] {
  const chain: ChainLink[] = [];
  let link: DetailedPeerCertificate | undefined = leaf;
  while (link?.raw !== undefined && chain.length < MAX_CHAIN_LENGTH) {
    const { issuer, subject, subjectaltname = '', valid_to: notAfter }: DetailedPeerCertificate = link;
    const { issuerCertificate: above }: DetailedPeerCertificate = link;
    chain.push({ subject: nameOf(subject), issuer: nameOf(issuer), names: subjectaltname, notAfter });
    // Node marks the end of a chain by a certificate that is its own issuer.
    link = above === link ? undefined : above;
  }
  return chain;
}

function nameOf(name: Readonly<Record<string, string | string[] | undefined>>): string {
  const { CN, O } = name;
  return [CN ?? '', O ?? ''].flat().find((text) => text !== '') ?? 'a certificate without a name';
}
