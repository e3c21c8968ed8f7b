/** One direction of a connection through the relay: passes bytes on, spoiled by the fault of the connection. */
import type { Socket } from 'node:net';
import {
  type Break,
  BYTES_PER_SECOND,
  DRIP_PAUSE_MS,
  type Fault,
  isShape,
  JITTER_MS,
  LATENCY_MS,
  type Shape,
  type Way,
} from './fault.ts';
import { randomBy } from './random.ts';

interface Ends {
  readonly from: Socket;
  readonly to: Socket;
  readonly client: Socket;
  readonly server: Socket;
  readonly way: Way;
  /** Of the connection; it affects one direction, or both. */
  readonly fault: Fault | undefined;
  readonly onBytes: (count: number) => void;
  readonly onSpoil: () => void;
  /** Shared by both directions. */
  readonly state: { isStalled: boolean };
}

/** A piece that is passed on later: at that time of `performance.now()`, but not before the pieces before it. */
interface Piece {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

const RECORD_HEADER_BYTES = 5;
/** A slicer's pieces have at most this many bytes; the pause is long enough for each to arrive on its own. */
const SLICE_BYTES = 3;
const SLICED_BYTES = 512;

export class Line {
  readonly #ends: Ends;
  readonly #random: () => number;
  /** Of what `from` has sent. */
  #taken = 0;
  #passed: Promise<void> = Promise.resolve();
  #isOver = false;
  #recordLeft = 0;
  #header = Buffer.alloc(0);

  constructor(ends: Ends) {
    this.#ends = ends;
    this.#random = randomBy(ends.fault?.seed ?? 0);
  }

  start(): void {
    const { from, to, onBytes } = this.#ends;
    from.on('data', (bytes: Buffer) => {
      onBytes(bytes.length);
      const nowMs = performance.now();
      this.#then(() => this.#take(bytes, nowMs));
    });
    from.once('end', () => {
      this.#then(() => {
        if (!this.#isOver && !this.#ends.state.isStalled) to.end();
      });
    });
    from.once('close', () => {
      this.#then(() => {
        if (!this.#isOver && !this.#ends.state.isStalled) to.destroySoon();
      });
    });
    from.resume();
  }

  #then(work: () => Promise<void> | void): void {
    this.#passed = this.#passed.then(work);
  }

  async #take(bytes: Buffer, takenMs: number): Promise<void> {
    const { fault, onSpoil, state, way } = this.#ends;
    const start = this.#taken;
    this.#taken += bytes.length;
    if (this.#isOver || state.isStalled) return;
    if (fault === undefined) {
      this.#write(bytes);
    } else if (isShape(fault.kind)) {
      onSpoil();
      for (const piece of this.#pieces(fault.kind, bytes, takenMs)) await this.#deliver(piece);
    } else if (fault.way === way) {
      await this.#break(fault.kind, bytes, { start, afterBytes: fault.afterBytes });
    } else {
      this.#write(bytes);
    }
  }

  async #break(
    kind: Break,
    bytes: Buffer,
    { afterBytes, start }: { readonly start: number; readonly afterBytes: number },
  ): Promise<void> {
    if (kind === 'cut-record') {
      this.#cutRecord(bytes, start, afterBytes);
      return;
    }
    const unchanged = Math.max(0, Math.min(bytes.length, afterBytes - start));
    if (unchanged > 0) this.#write(bytes.subarray(0, unchanged));
    if (unchanged < bytes.length) await this.#spoil(kind, bytes.subarray(unchanged));
  }

  async #spoil(kind: Exclude<Break, 'cut-record'>, rest: Buffer): Promise<void> {
    const { client, onSpoil, server, state } = this.#ends;
    onSpoil();
    switch (kind) {
      case 'reset':
        this.#isOver = true;
        // What was written must reach the client before the reset.
        await pause(2);
        reset(client);
        server.destroy();
        return;
      case 'close':
        this.#isOver = true;
        client.end();
        server.destroySoon();
        return;
      case 'half-open':
        this.#isOver = true;
        return;
      case 'stall':
        // Still read, so that the relay sees when the client closes it.
        state.isStalled = true;
        return;
      case 'garbage':
        this.#write(Buffer.from(rest.map(() => Math.floor(this.#random() * 256))));
        return;
      case 'drip':
        for (const byte of rest) {
          await this.#deliver({ bytes: Buffer.of(byte), dueMs: performance.now() + DRIP_PAUSE_MS });
        }
        return;
    }
  }

  /** Passes on half of the record that byte N is in. */
  #cutRecord(bytes: Buffer, start: number, afterBytes: number): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#recordLeft > 0) {
        const part = Math.min(this.#recordLeft, bytes.length - at);
        this.#recordLeft -= part;
        at += part;
        continue;
      }
      const header = bytes.subarray(at, at + RECORD_HEADER_BYTES - this.#header.length);
      this.#header = Buffer.concat([this.#header, header]);
      at += header.length;
      if (this.#header.length < RECORD_HEADER_BYTES) break;
      this.#recordLeft = this.#header.readUInt16BE(3);
      this.#header = Buffer.alloc(0);
      if (start + at + this.#recordLeft <= afterBytes) continue;
      this.#isOver = true;
      this.#ends.onSpoil();
      this.#write(bytes.subarray(0, at + Math.floor(Math.min(this.#recordLeft, bytes.length - at) / 2)));
      this.#ends.client.end();
      this.#ends.server.destroySoon();
      return;
    }
    this.#write(bytes);
  }

  #pieces(shape: Shape, bytes: Buffer, takenMs: number): readonly Piece[] {
    switch (shape) {
      case 'latency':
        return [{ bytes, dueMs: takenMs + LATENCY_MS }];
      case 'jitter':
        return [{ bytes, dueMs: takenMs + this.#random() * JITTER_MS }];
      case 'bandwidth':
        return [{ bytes, dueMs: performance.now() + (bytes.length / BYTES_PER_SECOND) * 1000 }];
      case 'slicer':
        return this.#slices(bytes);
    }
  }

  /** Only so many bytes of a chunk are sliced: a larger one would take seconds of processor time. */
  #slices(bytes: Buffer): readonly Piece[] {
    const slices: Piece[] = [];
    let at = 0;
    while (at < bytes.length) {
      const size = at < SLICED_BYTES ? 1 + Math.floor(this.#random() * SLICE_BYTES) : bytes.length;
      slices.push({ bytes: bytes.subarray(at, at + size), dueMs: 0 });
      at += size;
    }
    return slices;
  }

  async #deliver({ bytes, dueMs }: Piece): Promise<void> {
    if (this.#isOver || this.#ends.to.destroyed) return;
    const pauseMs = dueMs - performance.now();
    // At least the event loop, so that each piece is written on its own.
    await (pauseMs > 0 ? pause(pauseMs) : nextTurn());
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    if (this.#ends.to.writable) this.#ends.to.write(bytes);
  }
}

/** A socket whose output has ended cannot be reset any more: Node.js would keep it for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
