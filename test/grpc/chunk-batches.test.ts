import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { chunkBatches } from '../../src/grpc/frames.ts';

async function textOf(stream: PassThrough): Promise<string> {
  let text = '';
  for await (const batch of chunkBatches(stream)) text += Buffer.concat(batch).toString();
  return text;
}

test('every chunk comes once and in order', async () => {
  const stream = new PassThrough();
  const text = textOf(stream);
  for (let at = 0; at < 300; at += 1) {
    stream.write(`${String(at)} `);
    if (at % 7 === 0) await setImmediate();
  }
  stream.end();
  assert.equal(await text, Array.from({ length: 300 }, (_, at) => `${String(at)} `).join(''));
});

test('a reader that is slow lets the stream wait, not the memory grow', async () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  const batches = chunkBatches(stream);
  let written = 0;
  const first = batches.next();
  for (let round = 0; round < 500; round += 1) {
    if (stream.write('x')) written += 1;
    await setImmediate();
  }
  await first;
  assert.ok(written <= 200, `${String(written)} chunks were taken while nobody asked`);
  stream.resume();
  await batches.return(undefined);
});

test('what the stream fails with is thrown, after what came before', async () => {
  const stream = new PassThrough();
  const batches = chunkBatches(stream);
  stream.write('one');
  assert.equal((await batches.next()).done, false);
  stream.destroy(new Error('broken'));
  await assert.rejects(batches.next(), /broken/);
});

test('a stream that is closed without an end ends, and one that is not read to its end is destroyed', async () => {
  const closed = new PassThrough();
  const text = textOf(closed);
  await setImmediate();
  closed.destroy();
  assert.equal(await text, '');
  const left = new PassThrough();
  left.write('one');
  const batches = chunkBatches(left);
  await batches.next();
  await batches.return(undefined);
  assert.equal(left.destroyed, true);
});
