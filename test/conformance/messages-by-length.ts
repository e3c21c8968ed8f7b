/** How a conformance suite and the program under test exchange messages: each has its length in four bytes before it. */
import type { Readable } from 'node:stream';

const PREFIX_BYTES = 4;

type Order = 'big-endian' | 'little-endian';

/** Yields the messages until the suite closes its end. */
export async function* messagesByLength(input: Readable, order: Order): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0);
  for await (const chunk of input) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('expected a stream of bytes');
    held = Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < PREFIX_BYTES) break;
      const end = PREFIX_BYTES + (order === 'big-endian' ? held.readUInt32BE() : held.readUInt32LE());
      if (held.length < end) break;
      yield held.subarray(PREFIX_BYTES, end);
      held = held.subarray(end);
    }
  }
  if (held.length > 0) throw new Error(`the input ended inside a message, ${held.length} bytes after its start`);
}

export function withLength(message: Uint8Array, order: Order): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  if (order === 'big-endian') prefix.writeUInt32BE(message.length);
  else prefix.writeUInt32LE(message.length);
  return Buffer.concat([prefix, message]);
}
