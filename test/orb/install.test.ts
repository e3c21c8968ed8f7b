import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { missing } from '../programs.ts';
import { packedWith, sourceWith } from './source.ts';
import { install, runOrbJob, stderrOf } from './orb-job.ts';
import type { JobResult } from '../job-runner/run-job.ts';
import { toolFolder } from './tool-folder.ts';

const BUNDLE = 'console.log("the script")\n';

let scratch: string;
let home: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'orb-install-'));
  home = join(scratch, 'home');
  await mkdir(home);
  await writeFile(join(scratch, 'bundle.cjs'), BUNDLE);
});

afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

interface Changes {
  readonly home?: string | undefined;
  readonly shell?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

function installWith(parameters: Readonly<Record<string, unknown>>, changes: Changes = {}): Promise<JobResult> {
  return runOrbJob({
    bundle: BUNDLE,
    home,
    workingDirectory: join(scratch, 'project'),
    ...changes,
    steps: [install(parameters)],
  });
}

function fromFile(changes: Changes = {}): Promise<JobResult> {
  return installWith({ bundle_path: join(scratch, 'bundle.cjs') }, changes);
}

function installed(folder = join(home, '.teleport-machine-id')): Promise<string> {
  return readFile(join(folder, 'machine-id.cjs'), 'utf8');
}

test('the embedded script is installed without any network', async () => {
  const tools = await toolFolder(join(scratch, 'bin'), ['sha256sum', 'node']);
  const result = await installWith({ delivery: 'embedded' }, { environment: { PATH: tools } });
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.equal(await installed(), BUNDLE);
});

test('an embedded script that was changed is rejected', async () => {
  const other = packedWith(BUNDLE.replace('the', 'not'));
  const [part] = /(?<=MACHINE_ID_BUNDLE_1: ).*/.exec(other) ?? [];
  for (const replacement of [part ?? '', 'AAAA']) {
    const files = sourceWith('commands/install.yml', (text) =>
      text
        .replace('__BUNDLE_PART_1__', replacement)
        .replaceAll(/MACHINE_ID_BUNDLE_(?:[2-9]|1\d): .*/g, (line) => line.replace(/: .*/, ": ''")),
    );
    const result = await runOrbJob({ bundle: BUNDLE, home, files, steps: [install({ delivery: 'embedded' })] });
    assert.equal(result.exitCode, 1);
    assert.match(stderrOf(result), /is refused: expected SHA-256|cannot be unpacked/);
    assert.deepEqual(await readdir(join(home, '.teleport-machine-id')), ['node-path']);
  }
});

for (const shell of ['/bin/bash -eo pipefail', '/bin/dash -e', ...busybox()]) {
  test(`a file on the executor is installed so that only its owner can read it (${shell})`, async () => {
    const result = await fromFile({ shell });
    assert.equal(result.exitCode, 0, stderrOf(result));
    assert.equal(await installed(), BUNDLE);
    const folder = join(home, '.teleport-machine-id');
    assert.deepEqual(await readdir(folder), ['machine-id.cjs', 'node-path']);
    assert.equal(await readFile(join(folder, 'node-path'), 'utf8'), process.execPath);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(folder, 'machine-id.cjs'))).mode & 0o777, 0o600);
  });
}

test('the path of the file can contain ~, variables and spaces', async () => {
  await mkdir(join(home, 'my files'));
  await writeFile(join(home, 'my files/1.cjs'), BUNDLE);
  const result = await installWith(
    { bundle_path: '~/${FOLDER}/$NUMBER.cjs', install_dir: '$HOME/tools dir' },
    { environment: { FOLDER: 'my files', NUMBER: '1' } },
  );
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.equal(await installed(join(home, 'tools dir')), BUNDLE);
});

const otherBytes: readonly (readonly [what: string, bytes: string])[] = [
  ['tampered', BUNDLE.replace('the', 'not')],
  ['truncated', BUNDLE.slice(0, -1)],
  ['extended', `${BUNDLE} `],
  ['empty', ''],
];

for (const [what, bytes] of otherBytes) {
  test(`a ${what} file is rejected and leaves no files`, async () => {
    await writeFile(join(scratch, 'bundle.cjs'), bytes);
    const result = await fromFile();
    assert.equal(result.exitCode, 1);
    assert.match(stderrOf(result), /bundle\.cjs is refused: expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}/);
    assert.deepEqual(await readdir(join(home, '.teleport-machine-id')), ['node-path']);
  });
}

test('a second install changes nothing and needs no source', async () => {
  await fromFile();
  const path = join(home, '.teleport-machine-id/machine-id.cjs');
  const before = await stat(path);
  await rm(join(scratch, 'bundle.cjs'));
  const result = await fromFile();
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.match(stderrOf(result), /is already installed/);
  assert.deepEqual([(await stat(path)).ino, (await stat(path)).mtimeMs], [before.ino, before.mtimeMs]);
});

test('an installed script that was changed is replaced', async () => {
  await fromFile();
  await writeFile(join(home, '.teleport-machine-id/machine-id.cjs'), 'evil()');
  assert.equal((await fromFile()).exitCode, 0);
  assert.equal(await installed(), BUNDLE);
});

test('a rejected update keeps the installed script', async () => {
  await fromFile();
  const result = await runOrbJob({
    bundle: 'a newer script',
    home,
    steps: [install({ bundle_path: join(scratch, 'bundle.cjs') })],
  });
  assert.equal(result.exitCode, 1);
  assert.equal(await installed(), BUNDLE);
});

test('a missing file is named', async () => {
  const result = await installWith({ bundle_path: '/no/such/file' });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /\/no\/such\/file cannot be read/);
});

const HASHERS = ['sha256sum', 'shasum', 'openssl'] as const;
/** Tells its version and does nothing else. */
const NODE_WITHOUT_HASH = { node: 'case $2 in *process.versions*) printf "20 %s" "$0" ;; *) exit 1 ;; esac' };

for (const hasher of [...HASHERS, 'node'] as const) {
  test(`${hasher} is enough to verify the digest`, { skip: missing(hasher) }, async () => {
    const isNode = hasher === 'node';
    const tools = await toolFolder(join(scratch, 'bin'), [hasher], isNode ? {} : NODE_WITHOUT_HASH);
    const result = await fromFile({ environment: { PATH: tools } });
    assert.equal(result.exitCode, 0, stderrOf(result));
    assert.equal(await installed(), BUNDLE);
  });
}

test('without any program that can hash, the script is rejected', async () => {
  const tools = await toolFolder(join(scratch, 'bin'), [], NODE_WITHOUT_HASH);
  const result = await fromFile({ environment: { PATH: tools } });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /no program to compute a SHA-256 was found[^]*Install one of sha256sum/);
  assert.deepEqual(await readdir(join(home, '.teleport-machine-id')), ['node-path']);
});

for (const [what, nowhere] of [
  ['no home', undefined],
  ['a home that cannot be written to', '/dev/null'],
] as const) {
  test(`with ${what}, a private directory in the temporary directory is used`, async () => {
    const result = await fromFile({ home: nowhere, environment: { TMPDIR: scratch } });
    assert.equal(result.exitCode, 0, stderrOf(result));
    const folder = join(scratch, `teleport-machine-id-${process.getuid?.() ?? ''}`);
    assert.equal(await installed(folder), BUNDLE);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
  });
}

test('a directory that other users can write to is rejected', async () => {
  const shared = join(scratch, 'shared');
  await mkdir(shared);
  // `mkdir` takes the process's umask away from its mode.
  await chmod(shared, 0o777);
  const result = await installWith({ bundle_path: join(scratch, 'bundle.cjs'), install_dir: shared });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /other users may write to .*shared/);
});

test('a directory that cannot be created is named', async () => {
  const result = await installWith({ bundle_path: join(scratch, 'bundle.cjs'), install_dir: '/dev/null/x' });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /the folder \/dev\/null\/x cannot be created/);
});

/** Alpine's shell, where this machine has it. */
function busybox(): readonly string[] {
  return missing('busybox') === undefined ? ['/bin/busybox ash -e'] : [];
}
