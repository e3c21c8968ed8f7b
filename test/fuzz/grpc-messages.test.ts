import assert from 'node:assert/strict';
import test from 'node:test';
import { FrameReader } from '../../src/grpc/frames.ts';

const MEBIBYTE = 1024 * 1024;

function framed(bytes: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

function cut(bytes: Buffer, chunkBytes: number): readonly string[] {
  const cutter = new FrameReader();
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    for (const message of cutter.add(bytes.subarray(at, at + chunkBytes)))
      found.push(Buffer.concat(message).toString());
  }
  assert.equal(cutter.isEmpty, true);
  return found;
}

test('the same messages are read, whatever chunks they arrive in', () => {
  const messages = ['one', '', '', 'four', 'x'.repeat(300), ''];
  const bytes = Buffer.concat(messages.map((text) => framed(Buffer.from(text))));
  for (let size = 1; size <= bytes.length; size += 1) assert.deepEqual(cut(bytes, size), messages);
});

test('the largest message can arrive byte by byte, and a larger one is refused at its prefix', () => {
  const [message] = cut(framed(Buffer.alloc(4 * MEBIBYTE, 'x')), 1);
  assert.equal(message?.length, 4 * MEBIBYTE);
  assert.throws(
    () => [...new FrameReader().add(framed(Buffer.alloc(4 * MEBIBYTE + 1)).subarray(0, 5))],
    /received a message of \d+ bytes/,
  );
});

test('an incomplete message is detected', () => {
  const cutter = new FrameReader();
  assert.deepEqual([...cutter.add(framed(Buffer.from('one')).subarray(0, 7))], []);
  assert.equal(cutter.isEmpty, false);
});
