import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clientFrame } from './raw-upgrade.ts';
import { ByteReader } from '../crypto/byte-reader.ts';
import { legacyFraming, readWebSocketFrame, webSocketFraming, type Framing } from './upgrade-framing.ts';

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** The output for these bytes, fed one at a time. */
async function decoded({ decode }: Framing, bytes: Buffer): Promise<string> {
  for (const byte of bytes) {
    decode.write(Buffer.from([byte]));
  }
  decode.end();
  return textOf(decode);
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const frames = (...all: readonly (readonly [opcode: number, text: string, final?: boolean])[]): Buffer =>
  Buffer.concat(all.map(([opcode, text, final = true]) => clientFrame(opcode, Buffer.from(text), undefined, final)));

describe('the framing of a connection upgrade', () => {
  test('of v15 to v18 supports only binary frames, whatever their FIN bit, up to a close frame', async () => {
    const answers: Buffer[] = [];
    const framing = webSocketFraming({ pings: false, complete: false }, (frame) => answers.push(frame));
    const bytes = frames(
      [OPCODE.binary, 'a', false],
      [OPCODE.continuation, 'x'],
      [OPCODE.text, 'x'],
      [OPCODE.ping, 'x'],
      [OPCODE.pong, 'x'],
      [OPCODE.binary, 'b'],
      [OPCODE.close, ''],
      [OPCODE.binary, 'x'],
    );
    assert.equal(await decoded(framing, bytes), 'ab');
    assert.deepEqual(answers, []);
    assert.equal(framing.farewell, undefined);
  });

  test('of v19 accepts continuation frames, answers pings with their payload and sends a close frame', async () => {
    const answers: Buffer[] = [];
    const framing = webSocketFraming({ pings: true, complete: true }, (frame) => answers.push(frame));
    const bytes = frames([OPCODE.binary, 'a', false], [OPCODE.continuation, 'b'], [OPCODE.ping, 'are you there']);
    assert.equal(await decoded(framing, bytes), 'ab');
    assert.deepEqual(
      answers.map((frame) => readWebSocketFrame(new ByteReader(frame))),
      [{ opcode: OPCODE.pong, payload: Buffer.from('are you there') }],
    );
    assert.deepEqual(framing.farewell, Buffer.from([0x88, 2, 0x03, 0xe8]));
  });

  for (const length of [0, 125, 126, 0xffff, 0x10000]) {
    test(`writes ${length} bytes with the shortest length field`, () => {
      const { encode } = webSocketFraming({ pings: false, complete: false }, () => undefined);
      const frame = encode(Buffer.alloc(length, 'x'));
      const reader = new ByteReader(frame);
      assert.deepEqual(readWebSocketFrame(reader), { opcode: OPCODE.binary, payload: Buffer.alloc(length, 'x') });
      assert.equal(reader.remaining, 0);
      assert.equal(frame.length - length, length < 126 ? 2 : length < 0x10000 ? 4 : 10);
    });
  }

  test('of the older form has a length before each packet, and empty packets as pings', async () => {
    const framing = legacyFraming(true);
    assert.deepEqual(framing.encode(Buffer.from('ab')), Buffer.from([0, 0, 0, 2, 0x61, 0x62]));
    assert.deepEqual(framing.ping, Buffer.alloc(4));
    assert.equal(await decoded(framing, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 0, 0])), 'a');
  });

  test('refuses a frame that is too long to buffer', async () => {
    const framing = webSocketFraming({ pings: false, complete: false }, () => undefined);
    const head = Buffer.from([0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]);
    await assert.rejects(decoded(framing, head), /a frame of 1099511627776 bytes/);
  });
});
