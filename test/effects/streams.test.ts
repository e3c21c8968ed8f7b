import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { outputStream, writeAll, writeText } from '../../src/effects/streams.ts';
import { temporaryFolder } from '../temporary-folder.ts';

test('a short text is written without a stream', async (t) => {
  const path = join(await temporaryFolder(t), 'out');
  const descriptor = openSync(path, 'w');
  const output = outputStream(descriptor, () => assert.fail('a stream is created'));
  await writeText(output, 'one ü\n');
  assert.equal(output.isOpen(), false);
  closeSync(descriptor);
  assert.equal(readFileSync(path, 'utf8'), 'one ü\n');
});

test('what a full pipe does not take follows through the stream, complete and in order', async () => {
  const reader = spawn('sh', ['-c', 'sleep 0.3 && cat'], { stdio: ['pipe', 'pipe', 'inherit'], timeout: 10_000 });
  const descriptor = descriptorOf(reader);
  const filled = fill(descriptor);
  const all = text(reader.stdout);
  const output = outputStream(descriptor, () => reader.stdin);
  const long = 'abcdefgh\n'.repeat(1500);
  await writeText(output, long);
  assert.equal(output.isOpen(), true);
  reader.stdin.end();
  assert.equal(await all, '.'.repeat(filled) + long);
});

test('after a stream was created, a short text waits for its turn', async () => {
  const stream = new PassThrough();
  const output = outputStream(NO_DESCRIPTOR, () => stream);
  output.open().write('first\n');
  await Promise.all([writeText(output, 'second\n'), writeAll(output, [Buffer.from('third\n')])]);
  stream.end();
  assert.equal(await text(stream), 'first\nsecond\nthird\n');
});

/** Not a file, and never written to directly. */
const NO_DESCRIPTOR = 0;

/** Of the child's stdin, a pipe that does not block. */
function descriptorOf({ stdin }: ChildProcess): number {
  const handle: unknown = stdin === null ? undefined : Reflect.get(stdin, '_handle');
  const descriptor: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  assert.ok(typeof descriptor === 'number');
  return descriptor;
}

function fill(descriptor: number): number {
  const some = Buffer.alloc(4096, '.');
  for (let bytes = 0; ;) {
    try {
      bytes += writeSync(descriptor, some);
    } catch {
      return bytes;
    }
  }
}
