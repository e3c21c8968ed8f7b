import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, link, lstat, mkdir, readFile, symlink, writeFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { errorCode, fileErrorText } from '../../src/effects/file-error.ts';
import { systemLargeFiles } from '../../src/effects/large-files.ts';
import { systemFiles as files } from '../../src/effects/files.ts';
import { bounded, compiled, outputOf } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const modeOf = async (path: string) => (await lstat(path)).mode & 0o7777;

test('a file is read up to the limit, and not a byte further', async (context) => {
  const path = join(await temporaryFolder(context), 'file');
  await writeFile(path, 'zwölf');
  assert.equal(await files.readText(path, { maxBytes: 6 }), 'zwölf');
  await assert.rejects(files.readText(path, { maxBytes: 5 }), { message: 'it is longer than 5 bytes' });
});

const input = (path: string, maxBytes = 1_000_000, signal = new AbortController().signal) =>
  files.readInput(path, { maxBytes, signal });

test('a pipe is read to its end, in chunks of any size', async (context) => {
  const path = join(await temporaryFolder(context), 'pipe');
  outputOf('mkfifo', [path]);
  const text = input(path);
  await writeFile(path, 'x'.repeat(300_000));
  assert.equal((await text).length, 300_000);
});

test('a pipe is read after its writer has closed it', () => {
  const command = `"$0" "$1" <(printf substituted)`;
  const read = [process.execPath, compiled('test/effects/read-input.ts')];
  assert.equal(outputOf('bash', ['-c', command, ...read]), 'substituted');
});

test('reading a pipe without a writer waits until the signal', async (context) => {
  const path = join(await temporaryFolder(context), 'pipe');
  outputOf('mkfifo', [path]);
  const end = new AbortController();
  const reason = new Error('ended');
  setTimeout(() => {
    end.abort(reason);
  }, 100);
  await assert.rejects(input(path, 100, end.signal), reason);
  await assert.rejects(input(path, 100, end.signal), reason);
});

test('reading an endless source stops at the limit', async (context) => {
  await assert.rejects(input('/dev/zero', 100_000), { message: 'it is longer than 100000 bytes' });
  const path = join(await temporaryFolder(context), 'pipe');
  outputOf('mkfifo', [path]);
  const writer = bounded(spawn('sh', ['-c', 'cat /dev/zero >"$0"', path], { stdio: 'ignore' }));
  await assert.rejects(input(path, 100_000), { message: 'the pipe contains more than 100000 bytes' });
  await once(writer, 'exit');
});

test('an input may be a device that ends at once', async () => {
  assert.equal(await input('/dev/null'), '');
});

/** What is there in place of a file, and how a message names it. */
async function otherKinds(context: test.TestContext): Promise<ReadonlyMap<string, string>> {
  const folder = await temporaryFolder(context);
  const [pipe, socket] = [join(folder, 'pipe'), join(folder, 'socket')];
  outputOf('mkfifo', [pipe]);
  const server = createServer().listen(socket);
  await once(server, 'listening');
  context.after(() => server.close());
  return new Map([
    [folder, 'a directory'],
    [pipe, 'a pipe'],
    [socket, 'a socket'],
    ['/dev/full', 'a character device'],
  ]);
}

test('what is not a plain file is neither read nor appended to, and never waited for', async (context) => {
  for (const [path, kind] of await otherKinds(context)) {
    const expected = { message: `it is ${kind}, expected a file` };
    await assert.rejects(files.readText(path, { maxBytes: 100 }), expected);
    await assert.rejects(files.appendText(path, 'text'), expected);
    await assert.rejects(systemLargeFiles.sha256(path), expected);
  }
});

test('neither a directory nor a socket is an input', async (context) => {
  for (const [path, kind] of await otherKinds(context)) {
    if (kind === 'a directory' || kind === 'a socket') {
      await assert.rejects(input(path), { message: `it is ${kind}, expected a file` });
    }
  }
});

test('an error of the system that Node has no name for is known by its number', () => {
  const { errno } = constants;
  const error = Object.assign(new Error('x'), { code: `Unknown system error -${errno.EDQUOT}` });
  assert.equal(errorCode(error), 'EDQUOT');
  assert.equal(fileErrorText(error), 'the disk quota of this user is exhausted (EDQUOT)');
});

test('a text that is not UTF-8 is refused, and a byte order mark is kept', async (context) => {
  const path = join(await temporaryFolder(context), 'file');
  await writeFile(path, Buffer.of(0x61, 0xff));
  await assert.rejects(files.readText(path, { maxBytes: 10 }), { code: 'ERR_ENCODING_INVALID_ENCODED_DATA' });
  await writeFile(path, '\ufeffa');
  assert.equal(await files.readText(path, { maxBytes: 10 }), '\ufeffa');
});

test('appending makes a file that only its owner reads, and adds to the end of one that is there', async (context) => {
  const path = join(await temporaryFolder(context), 'file');
  await files.appendText(path, 'one\n');
  assert.equal(await modeOf(path), 0o600);
  await chmod(path, 0o644);
  await files.appendText(path, 'two\n');
  assert.equal(await readFile(path, 'utf8'), 'one\ntwo\n');
  assert.equal(await modeOf(path), 0o644);
});

test('appending makes no directories', async (context) => {
  const path = join(await temporaryFolder(context), 'missing', 'file');
  await assert.rejects(files.appendText(path, ''), { code: 'ENOENT' });
});

test('a file is created for its owner alone', async (context) => {
  const path = join(await temporaryFolder(context), 'file');
  await files.createFile(path, Uint8Array.of(1, 2));
  assert.equal(await modeOf(path), 0o600);
  assert.deepEqual([...(await readFile(path))], [1, 2]);
});

test('no file is created where anything exists, including a link', async (context) => {
  const folder = await temporaryFolder(context);
  const victim = join(folder, 'victim');
  await writeFile(victim, 'before');
  await symlink(victim, join(folder, 'link'));
  await symlink(join(folder, 'nowhere'), join(folder, 'dangling'));
  for (const name of ['victim', 'link', 'dangling', '.']) {
    await assert.rejects(files.createFile(join(folder, name), 'after'), { code: 'EEXIST' }, name);
  }
  assert.equal(await readFile(victim, 'utf8'), 'before');
  assert.equal(await files.entry(join(folder, 'nowhere')), undefined);
});

test('an entry describes the path itself, not the target of a link', async (context) => {
  const folder = await temporaryFolder(context);
  const at = (name: string) => join(folder, name);
  await files.createFile(at('file'), '');
  await files.makeDirectory(at('directory'));
  await symlink('directory', at('link'));
  outputOf('mkfifo', [at('pipe')]);
  const kinds = await Promise.all(['file', 'directory', 'link', 'pipe'].map((name) => files.entry(at(name))));
  assert.deepEqual(
    kinds.map((entry) => entry?.kind),
    ['file', 'directory', 'symlink', 'other'],
  );
  const { mtimeMs: modifiedMs } = await stat(at('directory'));
  const expected = { kind: 'directory', mode: 0o700, userId: files.userId, modifiedMs };
  assert.deepEqual(await files.entry(at('directory')), expected);
  assert.equal(await files.readLink(at('link')), 'directory');
});

test('there is nothing at a missing path, nor below a file', async (context) => {
  const folder = await temporaryFolder(context);
  await files.createFile(join(folder, 'file'), '');
  assert.equal(await files.entry(join(folder, 'missing')), undefined);
  assert.equal(await files.entry(join(folder, 'file', 'below')), undefined);
});

test('a directory is created where nothing exists, without its parents', async (context) => {
  const folder = await temporaryFolder(context);
  await assert.rejects(files.makeDirectory(folder), { code: 'EEXIST' });
  await assert.rejects(files.makeDirectory(join(folder, 'a', 'b')), { code: 'ENOENT' });
});

test('removing a missing file is not a failure', async (context) => {
  await files.remove(join(await temporaryFolder(context), 'missing'));
});

test('a failure that is not of the system has no code', () => {
  assert.equal(errorCode(new Error('x')), undefined);
  assert.equal(errorCode('ENOENT'), undefined);
  assert.equal(errorCode(Object.assign(new Error('x'), { code: 2 })), undefined);
});

const erase = (path: string, accepts = () => true, maxBytes = 100) => files.erase(path, { maxBytes, accepts });

test('erasing overwrites the bytes themselves, whatever other name they have, and removes the file', async (context) => {
  const folder = await temporaryFolder(context);
  await writeFile(join(folder, 'key'), 'secret');
  await link(join(folder, 'key'), join(folder, 'copy'));
  assert.equal(await erase(join(folder, 'key')), 'erased');
  assert.deepEqual(await readFile(join(folder, 'copy')), Buffer.alloc(6));
  assert.equal(await files.entry(join(folder, 'key')), undefined);
});

test('erasing leaves alone what is not accepted, too long, a link, a pipe or a directory', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'file');
  await writeFile(path, 'text');
  assert.equal(await erase(path, () => false), 'refused');
  assert.equal(await erase(path, undefined, 3), 'refused');
  await symlink(path, join(folder, 'link'));
  outputOf('mkfifo', [join(folder, 'pipe')]);
  for (const name of ['link', 'pipe', '.']) assert.equal(await erase(join(folder, name)), 'refused');
  assert.equal(await erase(join(folder, 'missing')), 'missing');
  assert.equal(await readFile(path, 'utf8'), 'text');
});

test('only an empty directory is removed', async (context) => {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, 'full'));
  await writeFile(join(folder, 'full', 'file'), '');
  await mkdir(join(folder, 'empty'));
  assert.equal(await files.removeDirectory(join(folder, 'full')), false);
  assert.equal(await files.removeDirectory(join(folder, 'empty')), true);
  assert.equal(await files.removeDirectory(join(folder, 'empty')), false);
});
