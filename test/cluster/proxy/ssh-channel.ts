/** A channel of an SSH connection as a byte stream, with its windows (RFC 4254 section 5). */
import { Duplex } from 'node:stream';
import { sshString, uint32 } from '../crypto/ssh-public-key.ts';

export const CHANNEL = {
  windowAdjust: 93,
  data: 94,
  extendedData: 95,
  eof: 96,
  close: 97,
  request: 98,
  success: 99,
  failure: 100,
} as const;

export const WINDOW_BYTES = 2 * 1024 * 1024;
export const MAX_DATA_BYTES = 32 * 1024;
const STANDARD_ERROR = 1;

export type Send = (payload: Buffer) => Promise<void>;

export interface ChannelEnds {
  /** The peer's number of the channel. */
  readonly remoteId: number;
  readonly remoteWindow: number;
  readonly remoteMaxBytes: number;
}

export class SshChannel extends Duplex {
  readonly #send: Send;
  readonly #ends: ChannelEnds;
  #remoteWindow: number;
  #localWindow = WINDOW_BYTES;
  #unread = 0;
  #waiting: (() => void) | undefined;
  #peerClosed = false;

  constructor(send: Send, ends: ChannelEnds) {
    super({ allowHalfOpen: true });
    this.#send = send;
    this.#ends = ends;
    this.#remoteWindow = ends.remoteWindow;
  }

  /** Data from the peer. @throws RangeError if it exceeds the window */
  receive(data: Buffer): void {
    this.#localWindow -= data.length;
    if (this.#localWindow < 0) {
      throw new RangeError('more data than the window of the channel allows');
    }
    this.#unread += data.length;
    if (this.push(data)) {
      this.#widen();
    }
  }

  receiveEnd(): void {
    this.push(null);
  }

  receiveClose(): void {
    this.#peerClosed = true;
    this.push(null);
    this.destroy();
  }

  adjust(bytes: number): void {
    this.#remoteWindow += bytes;
    this.#waiting?.();
    this.#waiting = undefined;
  }

  /** Responds to a request of the peer. */
  async reply(ok: boolean): Promise<void> {
    await this.#message(ok ? CHANNEL.success : CHANNEL.failure);
  }

  async writeError(text: string): Promise<void> {
    await this.#message(CHANNEL.extendedData, uint32(STANDARD_ERROR), sshString(text));
  }

  override _read(): void {
    this.#widen();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#writeAll(chunk).then(() => {
      done();
    }, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#message(CHANNEL.eof).then(() => {
      done();
    }, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting?.();
    this.#message(CHANNEL.close).then(
      () => {
        done(error);
      },
      () => {
        done(error);
      },
    );
  }

  /** Allows the peer to send as many bytes as were read. */
  #widen(): void {
    if (this.#unread === 0 || this.#peerClosed) {
      return;
    }
    const bytes = this.#unread;
    this.#unread = 0;
    this.#localWindow += bytes;
    this.#message(CHANNEL.windowAdjust, uint32(bytes)).catch(() => {
      this.destroy();
    });
  }

  async #writeAll(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      const room = Math.min(this.#remoteWindow, this.#ends.remoteMaxBytes, MAX_DATA_BYTES);
      if (room === 0) {
        await new Promise<void>((resolve) => {
          this.#waiting = resolve;
        });
        if (this.destroyed) {
          throw new Error('the channel is closed');
        }
        continue;
      }
      const part = rest.subarray(0, room);
      rest = rest.subarray(room);
      this.#remoteWindow -= part.length;
      await this.#message(CHANNEL.data, sshString(part));
    }
  }

  async #message(type: number, ...fields: readonly Buffer[]): Promise<void> {
    await this.#send(Buffer.concat([Buffer.from([type]), uint32(this.#ends.remoteId), ...fields]));
  }
}
