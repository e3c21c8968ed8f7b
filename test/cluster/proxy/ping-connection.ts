/**
 * A connection whose protocol ends in `-ping`: both sides send packets, each with its length in four bytes before it, and
 * the Proxy sends an empty one at intervals, so that no device closes an idle connection
 * (`handlePingConnection` of lib/srv/alpnproxy/proxy.go, api/utils/pingconn/pingconn.go).
 */
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { legacyFraming } from './upgrade-framing.ts';

const PING_SUFFIX = '-ping';
const PING_INTERVAL_MS = 30_000;

export function hasPings(protocol: string | false | null): boolean {
  return typeof protocol === 'string' && protocol.endsWith(PING_SUFFIX);
}

/** `teleport-redis` for `teleport-redis-ping`; other protocols as they are. */
export function withoutPings(protocol: string): string {
  return hasPings(protocol) ? protocol.slice(0, -PING_SUFFIX.length) : protocol;
}

/** The bytes inside the packets. */
export class PingConnection extends Duplex {
  readonly #secure: TLSSocket;
  readonly #framing = legacyFraming(true);
  readonly #pings: NodeJS.Timeout;

  constructor(secure: TLSSocket, intervalMs: number = PING_INTERVAL_MS) {
    super();
    this.#secure = secure;
    const { decode, ping } = this.#framing;
    this.#pings = setInterval(() => secure.write(ping ?? ''), intervalMs).unref();
    decode.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) {
        decode.pause();
      }
    });
    decode.once('end', () => this.push(null));
    decode.once('error', (error: Error) => this.destroy(error));
    secure.once('error', (error: Error) => this.destroy(error));
    // What has come before an orderly end may still be decoded.
    secure.once('close', () => {
      if (!secure.readableEnded) {
        this.destroy();
      }
    });
    secure.pipe(decode);
  }

  override _read(): void {
    this.#framing.decode.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#secure.write(this.#framing.encode(bytes), done);
  }

  override _final(done: () => void): void {
    clearInterval(this.#pings);
    this.#secure.end(() => {
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#pings);
    this.#secure.destroy();
    done(error);
  }
}
