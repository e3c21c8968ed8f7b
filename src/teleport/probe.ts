/** Looks at the way to a Proxy step by step: its name, its port, its certificate, its ALPN. */
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { Address } from './address.ts';
import type { WebTrust } from './trust.ts';

/** Every address of a name, as the system resolves it; rejects with Node's own error. */
export async function lookUp(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** Resolves with the address that was reached; rejects with Node's own error or the reason of the signal. */
export function probeTcp({ host, port }: Address, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, signal });
    socket.once('error', (error) => {
      reject(signal.aborted && signal.reason instanceof Error ? signal.reason : error);
    });
    socket.once('connect', () => {
      resolve(socket.remoteAddress ?? host);
      socket.destroy();
    });
  });
}

export interface TlsFacts {
  /** `TLSv1.3` */
  readonly protocol: string;
  readonly cipher: string;
  /** What was agreed on of the one protocol that was offered. */
  readonly alpn: string | undefined;
  /** Why the chain is not trusted: OpenSSL's name for it, or Node's; undefined when it is. */
  readonly fault: string | undefined;
  /** Leaf first, as far as it came. */
  readonly chain: readonly ChainLink[];
}

export interface ChainLink {
  readonly subject: string;
  readonly issuer: string;
  readonly names: string;
  readonly notAfter: string;
}

/** A handshake that goes on when the certificate is not trusted, so that it can be told of. Sends nothing else. */
export function probeTls(
  { host, port }: Address,
  { alpn, signal, trust }: { readonly alpn: string; readonly signal: AbortSignal; readonly trust: WebTrust },
): Promise<TlsFacts> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connectTls({
      host,
      port,
      ALPNProtocols: [alpn],
      rejectUnauthorized: false,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(trust.ca === undefined ? {} : { ca: trust.ca }),
    });
    const onAbort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      reject(new Error('the connection was closed during the TLS handshake'));
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(factsOf(socket));
      socket.destroy();
    });
  });
}

function factsOf(socket: TLSSocket): TlsFacts {
  const { alpnProtocol, authorizationError, authorized } = socket;
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().name,
    alpn: typeof alpnProtocol === 'string' && alpnProtocol !== '' ? alpnProtocol : undefined,
    fault: authorized ? undefined : faultName(authorizationError),
    chain: chainOf(socket.getPeerCertificate(true)),
  };
}

/** Node's types have an Error here, its code a text for OpenSSL's results and an Error for a name that does not fit. */
function faultName(error: unknown): string {
  if (error instanceof Error) return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  return String(error);
}

const LONGEST_CHAIN = 10;

function chainOf(leaf: DetailedPeerCertificate): readonly ChainLink[] {
  const chain: ChainLink[] = [];
  let link: DetailedPeerCertificate | undefined = leaf;
  while (link?.raw !== undefined && chain.length < LONGEST_CHAIN) {
    const { issuer, subject, subjectaltname = '', valid_to: notAfter }: DetailedPeerCertificate = link;
    const { issuerCertificate: above }: DetailedPeerCertificate = link;
    chain.push({ subject: nameOf(subject), issuer: nameOf(issuer), names: subjectaltname, notAfter });
    // Node ends a chain with a certificate that is its own issuer.
    link = above === link ? undefined : above;
  }
  return chain;
}

function nameOf(name: Readonly<Record<string, string | string[] | undefined>>): string {
  const { CN, O } = name;
  return [CN ?? '', O ?? ''].flat().find((text) => text !== '') ?? 'a certificate without a name';
}
