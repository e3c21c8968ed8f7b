import assert from 'node:assert/strict';
import { appendFile, chmod, lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../../src/effects/files.ts';
import { appendLines, bashEnvPath, exportLines, pathLines, removeLines } from '../../src/job/bash-env.ts';
import { outputOf } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const ODD_VALUES = [
  '/home/circleci/machine id',
  "it's",
  '$(touch /tmp/never) `id` $HOME "quoted" \\ back',
  'two\nlines',
  '-n',
  'ümläut ✓',
  '',
];

for (const value of ODD_VALUES) {
  test(`bash reads back ${JSON.stringify(value)} unchanged`, () => {
    const script = `${exportLines(new Map([['MACHINE_ID_DESTINATION', value]]))}printf %s "$MACHINE_ID_DESTINATION"`;
    assert.equal(outputOf('bash', ['-c', script]), value);
  });
}

test('lines are set apart from a file that does not end with a line break', () => {
  const before = 'export OTHER=1';
  const script = `${before}${exportLines(new Map([['NAME', 'value']]))}printf %s "$OTHER$NAME"`;
  assert.equal(outputOf('bash', ['-c', script]), '1value');
});

test('a job without BASH_ENV is reported', () => {
  for (const environment of [{}, { BASH_ENV: '' }]) {
    assert.throws(() => bashEnvPath(environment), { code: 'BASH_ENV_UNWRITABLE' });
  }
  assert.equal(bashEnvPath({ BASH_ENV: '/tmp/env' }), '/tmp/env');
});

test('a file that cannot be appended to ends with the reason as the cause', async () => {
  const cause = new Error('read-only file system');
  const files = { appendText: () => Promise.reject(cause) };
  await assert.rejects(appendLines(files, '/tmp/env', ''), { code: 'BASH_ENV_UNWRITABLE', cause });
});

test('lines are taken back out, and what others wrote before, between and after stays', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'bash_env');
  const first = exportLines(new Map([['A', '1']]));
  const second = exportLines(new Map([['A', '2']]));
  await writeFile(path, 'export OTHER=1');
  await chmod(path, 0o640);
  await appendFile(path, first);
  await appendFile(path, 'export BETWEEN=1\n');
  await appendFile(path, second);
  await appendFile(path, 'export AFTER=1');
  assert.deepEqual(await removeLines(systemFiles, path, [first, second, first]), { removed: 2, kept: [] });
  assert.equal(await readFile(path, 'utf8'), 'export OTHER=1\nexport BETWEEN=1\n\nexport AFTER=1');
  assert.equal((await lstat(path)).mode & 0o777, 0o640);
  assert.deepEqual(await readdir(folder), ['bash_env']);
});

test('a file without our lines, or none at all, is left alone', async (t) => {
  const path = join(await temporaryFolder(t), 'bash_env');
  assert.deepEqual(await removeLines(systemFiles, path, ['\nexport A=1\n']), { removed: 0, kept: [] });
  await writeFile(path, 'export A=1');
  assert.deepEqual(await removeLines(systemFiles, path, ['\nexport A=1\n']), { removed: 0, kept: ['A'] });
  assert.equal(await readFile(path, 'utf8'), 'export A=1');
});

test("a line that the job has changed stays, and so do the job's own lines for the same variable", async (t) => {
  const path = join(await temporaryFolder(t), 'bash_env');
  const block = exportLines(
    new Map([
      ['KUBECONFIG', '/ours'],
      ['PGUSER', 'ci'],
      ['PGHOST', 'two\nlines'],
    ]),
  );
  await writeFile(path, `before=1${block.replace('/ours', '/ours:/mine')}export PGUSER=other\n`);
  assert.deepEqual(await removeLines(systemFiles, path, [block]), { removed: 2, kept: ['KUBECONFIG', 'PGUSER'] });
  assert.equal(await readFile(path, 'utf8'), "before=1\nexport KUBECONFIG='/ours:/mine'\nexport PGUSER=other\n");
});

test('a line of the job between those of a run does not keep them', async (t) => {
  const path = join(await temporaryFolder(t), 'bash_env');
  const block = exportLines(
    new Map([
      ['A', '1'],
      ['B', '2'],
    ]),
  );
  await writeFile(path, block.replace('export B', 'export OWN=1\nexport B'));
  assert.deepEqual(await removeLines(systemFiles, path, [block]), { removed: 2, kept: [] });
  assert.equal(await readFile(path, 'utf8'), '\nexport OWN=1\n');
});

/** What PATH is after bash has read the lines. */
function pathAfter(lines: string, path: string | undefined, options: readonly string[] = []): string {
  const environment = path === undefined ? [] : [`PATH=${path}`];
  return outputOf('env', ['-i', ...environment, '/bin/bash', ...options, '-c', `${lines}\nprintf %s "$PATH"`]);
}

test('a folder comes first on PATH', () => {
  assert.equal(pathAfter(pathLines('/opt/tools/bin'), '/usr/bin:/bin'), '/opt/tools/bin:/usr/bin:/bin');
});

test('a folder that is already on PATH is not added again, wherever it is', () => {
  for (const path of ['/opt/tools/bin', '/opt/tools/bin:/bin', '/bin:/opt/tools/bin', '/a:/opt/tools/bin:/b']) {
    assert.equal(pathAfter(pathLines('/opt/tools/bin'), path), path);
  }
  assert.equal(pathAfter(pathLines('/opt/tools/bin'), '/opt/tools/bin2'), '/opt/tools/bin:/opt/tools/bin2');
});

test('an empty PATH gets no empty part, which would mean the working directory', () => {
  assert.equal(pathAfter(pathLines('/opt/bin'), ''), '/opt/bin');
  assert.equal(pathAfter(`unset PATH\n${pathLines('/opt/bin')}`, '/bin', ['-eu']), '/opt/bin');
});

for (const folder of ["/it's/bin", '/$(exit 3)/`exit 3`', '/two words/*', '/[a-z]/?', '/\\n"quoted"', '/#x;y&z']) {
  test(`a folder is quoted: ${folder}`, () => {
    const once = pathAfter(pathLines(folder), '/usr/bin', ['-eu']);
    assert.equal(once, `${folder}:/usr/bin`);
    assert.equal(pathAfter(pathLines(folder), once, ['-eu']), once);
  });
}

test('Git-bash gets a folder of Windows in its own form', () => {
  assert.equal(pathAfter(pathLines('C:\\Users\\ci\\tools\\bin'), '/usr/bin'), '/c/Users/ci/tools/bin:/usr/bin');
});
