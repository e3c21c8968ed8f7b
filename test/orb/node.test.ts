/** `install` on executors whose Node.js is missing, old, or where no PATH leads. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { runForBytes } from '../programs.ts';
import type { JobResult } from '../job-runner/run-job.ts';
import { startAssetServer, type AssetServer } from './asset-server.ts';
import { install, join as joinStep, runOrbJob, stderrOf } from './orb-job.ts';
import { sourceWith } from './source.ts';
import { toolFolder } from './tool-folder.ts';

const BUNDLE = 'console.log(process.argv.slice(2).join(" "), process.env.PATH)\n';
const NAME = 'node-v24.19.0-linux-x64';

let shared: string;
let server: AssetServer;
let archive: Buffer;
let scratch: string;
let home: string;

before(async () => {
  shared = await mkdtemp(join(tmpdir(), 'orb-node-'));
  server = await startAssetServer(shared);
  archive = await archiveOf(`#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
});

after(async () => {
  await server.close();
  await rm(shared, { recursive: true, force: true });
});

beforeEach(async () => {
  scratch = await mkdtemp(join(shared, 'test-'));
  home = join(scratch, 'home');
  await mkdir(home);
  await writeFile(join(scratch, 'bundle.cjs'), BUNDLE);
  server.requests.length = 0;
  server.answer = (_request, response) => response.end(archive);
});

afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** An archive as nodejs.org has it, but with this text as the program. */
async function archiveOf(program: string): Promise<Buffer> {
  const folder = await mkdtemp(join(shared, 'archive-'));
  await mkdir(join(folder, NAME, 'bin'), { recursive: true });
  await writeFile(join(folder, NAME, 'bin', 'node'), program, { mode: 0o755 });
  await writeFile(join(folder, NAME, 'README.md'), 'read me');
  await symlink('../lib/npm', join(folder, NAME, 'bin', 'npm'));
  return runForBytes('tar', ['-czf', '-', NAME], { cwd: folder }).stdout;
}

const UNAME = { uname: 'case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac', ldd: 'echo glibc', unzip: 'exit 1' };

interface Wish {
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly more?: readonly unknown[];
  readonly digest?: string;
}

/** No `node` is on PATH; the orb expects the digest of the archive that the server has. */
async function job({ parameters = {}, scripts = {}, environment = {}, more = [], digest }: Wish): Promise<JobResult> {
  const programs = ['sha256sum', 'curl', 'tar', 'gzip'];
  const tools = await toolFolder(join(scratch, 'bin'), programs, { ...UNAME, ...scripts });
  const expected = digest ?? createHash('sha256').update(archive).digest('hex');
  const files = sourceWith('scripts/bring-node.sh', (text) =>
    text.replace(/(linux-x64\) mi_digest=)[0-9a-f]{64}/, `$1${expected}`),
  );
  return runOrbJob({
    bundle: BUNDLE,
    home,
    files,
    environment: { ...server.trust, PATH: tools, ...environment },
    steps: [
      install({ bundle_path: join(scratch, 'bundle.cjs'), node_mirror: `${server.url}/dist/`, ...parameters }),
      ...more,
    ],
  });
}

const folderOf = () => join(home, '.teleport-machine-id');

test('an executor without Node.js gets one that is not on PATH', async () => {
  const result = await job({ more: [joinStep({ config: '' })] });
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.deepEqual(server.requests, [`/dist/v24.19.0/${NAME}.tar.gz`]);
  assert.deepEqual((await readdir(folderOf())).sort(), ['machine-id.cjs', 'node-path', NAME]);
  assert.deepEqual(await readdir(join(folderOf(), NAME)), ['node']);
  assert.equal((await stat(join(folderOf(), NAME, 'node'))).mode & 0o777, 0o700);
  assert.equal(result.steps.at(-1)?.stdout.trim(), `orb-step join ${join(scratch, 'bin')}`);
});

test('a second install downloads nothing', async () => {
  assert.equal((await job({})).exitCode, 0);
  await rm(join(scratch, 'bin'), { recursive: true });
  const result = await job({});
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.equal(server.requests.length, 1);
});

test('a Node.js that is too old is ignored', async () => {
  const result = await job({ scripts: { node: 'printf "16 %s" "$0"' } });
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.equal(server.requests.length, 1);
});

test('another program with the name node is ignored', async () => {
  const result = await job({ scripts: { node: 'echo 1.0-rc' } });
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.equal(server.requests.length, 1);
});

for (const [manager, place, environment] of [
  ['nvm', '.nvm/versions/node/v20.1.0/bin', {}],
  ['nvm in a place of its own', 'tools/nvm/versions/node/v20.1.0/bin', { NVM_DIR: '~/tools/nvm' }],
  ['asdf', '.asdf/installs/nodejs/20.1.0/bin', {}],
  ['asdf in a place of its own', 'tools/asdf/installs/nodejs/20.1.0/bin', { ASDF_DATA_DIR: '~/tools/asdf' }],
] as const) {
  test(`a Node.js of ${manager} is used even if it is not on PATH`, async () => {
    await mkdir(join(home, place), { recursive: true });
    await symlink(process.execPath, join(home, place, 'node'));
    const absolute = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [name, value.replace('~', home)]),
    );
    const result = await job({ environment: absolute });
    assert.equal(result.exitCode, 0, stderrOf(result));
    assert.deepEqual(server.requests, []);
    assert.equal(await readFile(join(folderOf(), 'node-path'), 'utf8'), process.execPath);
  });
}

test('an archive with another digest is rejected and leaves no files', async () => {
  const result = await job({ digest: 'f'.repeat(64) });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /tar\.gz is refused: expected SHA-256 f{64}, got [0-9a-f]{64}/);
  assert.deepEqual(await readdir(folderOf()), []);
});

test('with bring_node: false, the error says what to do', async () => {
  const result = await job({ parameters: { bring_node: false } });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /18 or later is needed, but was not found[^]*cimg\/node:lts/);
  assert.deepEqual(server.requests, []);
});

for (const [what, scripts, message] of [
  ['musl', { ldd: 'echo "musl libc (x86_64)" >&2; exit 1' }, /musl[^]*apk add --no-cache nodejs/],
  [
    'a processor without a build',
    { uname: 'case $1 in -s) echo Linux ;; *) echo riscv64 ;; esac' },
    /linux on riscv64/,
  ],
  ['a system without a build', { uname: 'echo SunOS' }, /cannot download Node\.js for SunOS/],
] as const) {
  test(`on ${what}, the error says what to do`, async () => {
    const result = await job({ scripts });
    assert.equal(result.exitCode, 1);
    assert.match(stderrOf(result), message);
    assert.deepEqual(server.requests, []);
  });
}

for (const [system, processor, path] of [
  ['Linux', 'aarch64', 'v24.19.0/node-v24.19.0-linux-arm64.tar.gz'],
  ['Darwin', 'arm64', 'v24.19.0/node-v24.19.0-darwin-arm64.tar.gz'],
  ['Darwin', 'x86_64', 'v24.19.0/node-v24.19.0-darwin-x64.tar.gz'],
  ['MINGW64_NT-10.0-20348', 'x86_64', 'v24.15.0/node-v24.15.0-win-x64.zip'],
] as const) {
  test(`on ${system} with ${processor}, the archive for that system is requested and verified`, async () => {
    const uname = `case $1 in -s) echo ${system} ;; *) echo ${processor} ;; esac`;
    const result = await job({ scripts: { uname } });
    assert.equal(result.exitCode, 1);
    assert.deepEqual(server.requests, [`/dist/${path}`]);
    assert.match(stderrOf(result), /is refused: expected SHA-256/);
  });
}

test('a program that does not start is reported with the likely reason', async () => {
  archive = await archiveOf('#!/no/such/interpreter\n');
  try {
    const result = await job({});
    assert.equal(result.exitCode, 1);
    assert.match(stderrOf(result), /the downloaded .* does not start[^]*noexec/);
  } finally {
    archive = await archiveOf(`#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
  }
});

test('join reports that the Node.js of install is missing', async () => {
  assert.equal((await job({})).exitCode, 0);
  await chmod(join(folderOf(), NAME, 'node'), 0o600);
  const result = await runOrbJob({ bundle: BUNDLE, home, steps: [joinStep({ config: '' })] });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /the Node\.js that install found no longer exists: .*node\n/);
});
