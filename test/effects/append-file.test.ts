import assert from 'node:assert/strict';
import { appendFileSync, writeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { errorCode } from '../../src/effects/file-error.ts';
import { appendAll } from '../../src/effects/append-file.ts';
import { cannotMount, smallDisk } from '../small-disk.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const BEFORE = 'export OTHER=1\n';
const TEXT = "\nexport A='1'\nexport B='2'\n";

const isFull = (error: unknown) => errorCode(error) === 'ENOSPC';

test('a text that no longer fits on the disk leaves the file as it was', { skip: cannotMount }, async (t) => {
  const disk = await smallDisk(t, { kibibytes: 16 });
  const path = join(disk.path, 'bash_env');
  // What is left of its page takes a part of the text.
  const before = `${BEFORE}# ${'x'.repeat(4070 - BEFORE.length)}\n`;
  await writeFile(path, before);
  await disk.fill();
  assert.throws(() => {
    appendAll(path, TEXT);
  }, isFull);
  assert.equal(await readFile(path, 'utf8'), before);
});

/** Takes `bytes` of the text, lets others append, and is full. */
function fullAfter(bytes: number, others: () => void): (file: number, text: Uint8Array) => number {
  let calls = 0;
  return (file, text) => {
    calls += 1;
    if (calls > 1) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    const written = writeSync(file, text.subarray(0, bytes));
    others();
    return written;
  };
}

test('what others appended meanwhile stays, and what was written of ours means nothing', async (t) => {
  const path = join(await temporaryFolder(t), 'bash_env');
  await writeFile(path, BEFORE);
  const write = fullAfter(20, () => {
    appendFileSync(path, 'export THEIRS=1\n');
  });
  assert.throws(() => {
    appendAll(path, TEXT, write);
  }, isFull);
  assert.equal(await readFile(path, 'utf8'), `${BEFORE}${'\n'.repeat(20)}export THEIRS=1\n`);
});

for (const position of ['before', 'behind']) {
  test(`the same text of another run ${position} ours stays whole`, async (t) => {
    const path = join(await temporaryFolder(t), 'bash_env');
    await writeFile(path, BEFORE);
    const others = () => {
      appendFileSync(path, TEXT);
    };
    const write = fullAfter(20, position === 'behind' ? others : () => undefined);
    const writeLater = (file: number, text: Uint8Array) => {
      if (position === 'before' && text.length === TEXT.length) others();
      return write(file, text);
    };
    assert.throws(() => {
      appendAll(path, TEXT, writeLater);
    }, isFull);
    const ours = '\n'.repeat(20);
    assert.equal(await readFile(path, 'utf8'), BEFORE + (position === 'before' ? TEXT + ours : ours + TEXT));
  });
}
