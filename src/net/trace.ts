/** Reports every connection step by step; without a trace nothing is counted or written. */
import type { Clock } from '../effects/time.ts';
import type { Log } from '../effects/log.ts';

export interface WireTrace {
  /** @param to who is at the other end, in our words: `join service` */
  connection(to: string): WireConnection;
}

/** One connection, told apart from the others by its number. */
export interface WireConnection {
  emit(event: WireEvent): void;
  /** Starts to measure; what comes back is called for the whole milliseconds since then. */
  stopwatch(): () => number;
}

/** Lines of the log at the level debug, timed from this call on. */
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
        emit: (told) => {
          const atMs = sinceStart();
          const message = `[${String(atMs).padStart(5)} ms] #${connection} ${to} ${wireText(told)}`;
          log.debug(message, { atMs, connection, to, ...told });
        },
      };
    },
  };
}

// What happens on the wire: names, sizes and times, never what is said there.

type WireEvent =
  | {
      readonly event: 'dns';
      readonly name: string;
      /** In the order in which they are tried. */
      readonly addresses: readonly string[];
      readonly durationMs: number;
    }
  | {
      readonly event: 'tcp';
      readonly address: string | undefined;
      readonly port: number | undefined;
      readonly durationMs: number;
    }
  /** One address of several that could not be reached. */
  | { readonly event: 'tcp-failed'; readonly address: string; readonly port: number; readonly error: string }
  | TlsEvent
  | ({
      readonly event: 'https';
      readonly method: string;
      /** Without its query. */
      readonly path: string;
      /** Undefined when there was no answer. */
      readonly status: number | undefined;
      readonly durationMs: number;
    } & Traffic)
  | {
      readonly event: 'grpc-message';
      readonly method: string;
      readonly direction: Direction;
      /** Field of the message's union that is set, as the protocol names it. */
      readonly kind: string | undefined;
      readonly bytes: number;
    }
  | ({
      readonly event: 'grpc';
      /** `/package.Service/Method` */
      readonly method: string;
      /** In the words of gRPC for Go; `ended here` when this side did not wait for it. */
      readonly code: string;
      readonly sentMessages: number;
      readonly receivedMessages: number;
      readonly durationMs: number;
    } & Traffic)
  | ({
      readonly event: 'closed';
      /** What broke the connection, if anything did. */
      readonly error: string | undefined;
      readonly durationMs: number;
    } & Traffic);

export type Direction = 'sent' | 'received';

/** Inside TLS: what the protocol above it has written, its own headers and frames included, or a message alone. */
interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

interface TlsEvent {
  readonly event: 'tls';
  readonly version: string;
  readonly cipher: string;
  /** Neither null nor undefined when one was sent. */
  readonly serverName: string | null | undefined;
  readonly alpnOffered: readonly string[];
  readonly alpn: string | null | undefined;
  readonly sessionReused: boolean;
  /** Of the server's certificate, whether it is trusted or not. */
  readonly subject: string;
  readonly issuer: string;
  readonly expiresAt: string;
  /** The first bytes of its SHA-256. */
  readonly fingerprint: string | undefined;
  readonly clientCertificate: 'sent' | 'not asked for' | 'asked for, not sent';
  readonly durationMs: number;
}

/** The same facts for a person, under the same names: `server name a.example.com, session reused false`. */
function wireText({ event, ...facts }: WireEvent): string {
  const told = Object.entries(facts)
    .filter(([, value]) => String(value ?? '') !== '')
    .map(([name, value]) => `${spaced(name)} ${String(value)}`);
  return `${event}: ${told.join(', ')}`;
}

function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
