/** The orb's commands in images that people have: without some programs, with other programs called node, with preloads. */
import assert from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { stderrOf } from './orb-job.ts';
import { JOIN, scene, succeeded } from './scene.ts';
import { callIn } from './stand-in.ts';
import { NEEDED, toolFolder } from './tool-folder.ts';

describe('programs of the image', () => {
  test('the required programs and Node.js are enough', async (t) => {
    const { home, run } = await scene(t);
    const PATH = await toolFolder(join(home, 'bin'), ['node']);
    const result = succeeded(await run({ environment: { PATH }, steps: [JOIN, { 'machine-id/cleanup': {} }] }));
    assert.deepEqual(callIn(result.steps.at(-1)?.stdout ?? '')?.flags, ['cleanup']);
  });

  for (const program of NEEDED) {
    test(`an image without ${program} gets an error that names it`, async (t) => {
      const { home, run } = await scene(t);
      const PATH = await toolFolder(join(home, 'bin'), ['node']);
      await rm(join(PATH, program));
      const result = await run({ environment: { PATH } });
      assert.equal(result.exitCode, 1);
      assert.match(stderrOf(result), new RegExp(`the executor has no ${program}, needed to install machine-id`));
      assert.doesNotMatch(stderrOf(result), /another user/);
    });
  }

  test('without a home directory and id, a directory is still found', async (t) => {
    const { home, run } = await scene(t);
    const PATH = await toolFolder(join(home, 'bin'), ['node']);
    const TMPDIR = join(home, 'tmp');
    await mkdir(TMPDIR);
    const workingDirectory = join(home, 'project');
    succeeded(await run({ home: undefined, workingDirectory, environment: { PATH, TMPDIR }, steps: [JOIN] }));
  });
});

const BUN = `Object.defineProperty(process, 'versions', { value: { ...process.versions, bun: '1.2.0' } });`;

describe('every node on PATH is tried', () => {
  for (const [what, shim] of [
    ['a shim that has no version', 'echo "No version is set for command node" >&2; exit 126'],
    ['an old one', 'printf "12 /usr/bin/node"'],
    ['something else of the name', 'echo "Usage: node"'],
    ['Bun, which passes for it', `exec ${process.execPath} -r "\${0%/*}/bun.cjs" "$@"`],
  ] as const) {
    test(`behind ${what}`, async (t) => {
      const { home, run } = await scene(t);
      await mkdir(join(home, 'shim'));
      await writeFile(join(home, 'shim/bun.cjs'), BUN);
      await writeFile(join(home, 'shim/node'), `#!/bin/sh\n${shim}\n`, { mode: 0o755 });
      const PATH = `${join(home, 'shim')}:${await toolFolder(join(home, 'bin'), ['node'])}`;
      const result = succeeded(await run({ environment: { PATH }, steps: [JOIN] }));
      assert.match(stderrOf(result), new RegExp(`found Node\\.js: ${process.execPath}`));
    });
  }

  test('also in a directory with a space, and after a missing one', async (t) => {
    const { home, run } = await scene(t);
    await mkdir(join(home, 'my tools'));
    await symlink(process.execPath, join(home, 'my tools/node'));
    const PATH = ['/nowhere', join(home, 'my tools'), await toolFolder(join(home, 'bin'), [])].join(':');
    succeeded(await run({ environment: { PATH }, steps: [JOIN] }));
  });
});

const PRELOADS = [
  '-r dd-trace/ci/init',
  '--require ./missing.cjs',
  '--import ./missing.mjs',
  '--require "./my folder/x.cjs"',
  '--inspect=0.0.0.0:1',
  '--experimental-loader ./missing.mjs --enable-source-maps',
];
const KEPT = [
  '--max-old-space-size=512',
  '--max_old_space_size=512',
  '--use-openssl-ca',
  '--use-bundled-ca --max-http-header-size=32768',
  '--tls-min-v1.2',
  '--tls-cipher-list=DEFAULT',
  '--dns-result-order=ipv4first',
];

describe("the job's NODE_OPTIONS", () => {
  for (const preload of PRELOADS) {
    test(`${preload} does not affect any process of the orb`, async (t) => {
      const { run } = await scene(t);
      const environment = { NODE_OPTIONS: `${preload} --max-old-space-size=512` };
      const steps = [JOIN, { 'machine-id/doctor': {} }, { 'machine-id/cleanup': {} }];
      const result = succeeded(await run({ environment, steps }));
      const options = result.steps.flatMap(({ stdout }) => callIn(stdout)?.options ?? []);
      assert.deepEqual(
        options,
        Array.from({ length: 3 }, () => '--max-old-space-size=512'),
      );
    });
  }

  test('options about certificates and memory are kept', async (t) => {
    const { run } = await scene(t);
    for (const option of KEPT) {
      const result = succeeded(await run({ environment: { NODE_OPTIONS: option }, steps: [JOIN] }));
      assert.equal(callIn(result.steps.at(-1)?.stdout ?? '')?.options, option);
    }
  });
});
