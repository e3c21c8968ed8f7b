/** Logs every connection step by step. Without a trace, nothing is counted or logged. */
import type { Clock } from '../effects/time.ts';
import type { Log } from '../effects/log.ts';
import { errorCode, oneLine } from './network-error.ts';

export interface WireTrace {
  /** @param to our name for the server: `join service` */
  connection(to: string): WireConnection;
}

/** One connection, which its number distinguishes from the others. */
export interface WireConnection {
  emit(event: WireEvent): void;
  /** Starts measuring; the returned function returns the whole milliseconds since then. */
  stopwatch(): () => number;
}

/** Logs events at level debug, with times relative to this call. */
export function startWireTrace(log: Pick<Log, 'debug'>, clock: Pick<Clock, 'elapsedMs'>): WireTrace {
  const stopwatch = () => {
    const startMs = clock.elapsedMs();
    return () => Math.round(clock.elapsedMs() - startMs);
  };
  const sinceStart = stopwatch();
  let connections = 0;
  return {
    connection: (to) => {
      connections += 1;
      const connection = connections;
      return {
        stopwatch,
        emit: (event) => {
          const atMs = sinceStart();
          const message = `[${String(atMs).padStart(5)} ms] #${connection} ${to} ${wireText(event)}`;
          log.debug(message, { atMs, connection, to, ...event });
        },
      };
    },
  };
}

/** What happens on the wire: names, sizes and times, never contents. */
export type WireEvent =
  | {
      readonly event: 'dns';
      readonly name: string;
      /** In the order in which they are tried. */
      readonly addresses: readonly string[];
      readonly durationMs: number;
    }
  | {
      readonly event: 'tcp';
      readonly address: string;
      readonly port: number;
      readonly durationMs: number;
    }
  /** One of several addresses could not be reached. */
  | { readonly event: 'tcp-failed'; readonly address: string; readonly port: number; readonly error: string }
  /** The request to an HTTP or SOCKS proxy, by which the connection to the server is opened. */
  | {
      readonly event: 'proxy';
      /** Without user and password. */
      readonly proxy: string;
      /** The variable that names it. */
      readonly variable: string;
      readonly target: string;
      /** `200 Connection established` */
      readonly answer?: string;
      readonly error?: string;
      readonly durationMs: number;
    }
  | TlsEvent
  | ({
      readonly event: 'https';
      readonly method: string;
      /** Without the query. */
      readonly path: string;
      /** Undefined if no response arrived. */
      readonly status: number | undefined;
      readonly durationMs: number;
    } & Traffic)
  | {
      readonly event: 'grpc-message';
      readonly method: string;
      readonly direction: Direction;
      /** Name of the field that is set in the message's union, as in the protocol. */
      readonly kind: string | undefined;
      readonly bytes: number;
    }
  | ({
      readonly event: 'grpc';
      /** `/package.Service/Method` */
      readonly method: string;
      /** As gRPC for Go names it; `ended here` if this side ended the call first. */
      readonly code: string;
      readonly sentMessages: number;
      readonly receivedMessages: number;
      readonly durationMs: number;
    } & Traffic)
  | ({
      readonly event: 'closed';
      /** What broke the connection, if anything. */
      readonly error: string | undefined;
      readonly durationMs: number;
    } & Traffic);

export type Direction = 'sent' | 'received';

/** Bytes inside TLS: of a message, or of everything that the protocol above wrote, including its headers and frames. */
interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

interface TlsEvent {
  readonly event: 'tls';
  readonly version: string;
  readonly cipher: string;
  /** Null or undefined if none was sent. */
  readonly serverName: string | null | undefined;
  readonly alpnOffered: readonly string[];
  readonly alpn: string | null | undefined;
  readonly sessionReused: boolean;
  /** Of the server's certificate, trusted or not. */
  readonly subject: string;
  readonly issuer: string;
  readonly expiresAt: string;
  /** The first bytes of its SHA-256. */
  readonly fingerprint: string | undefined;
  readonly clientCertificate: 'sent' | 'not asked for' | 'asked for, not sent';
  readonly durationMs: number;
}

/** The same facts for people, under the same names: `server name a.example.com, session reused false`. */
function wireText({ event, ...facts }: WireEvent): string {
  const texts = Object.entries(facts)
    .filter(([, value]) => String(value ?? '') !== '')
    .map(([name, value]) => `${spaced(name)} ${String(value)}`);
  return `${event}: ${texts.join(', ')}`;
}

function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** How events name an error: by its code, if it has one. */
export function errorNameOf(error: Error): string {
  const code = errorCode(error);
  return code === '' ? oneLine(error.message) : code;
}
