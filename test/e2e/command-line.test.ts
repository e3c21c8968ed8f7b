import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { z } from 'zod';
import { assertRefused } from './refusal.ts';
import { runBundle, type BundleRun } from './run-bundle.ts';

const Package = z.object({ version: z.string() });

function run(...args: readonly string[]): Promise<BundleRun> {
  return runBundle(args, { workingDirectory: tmpdir(), environment: { PATH: '/usr/bin:/bin' }, asProcess: true });
}

test('the help of the program lists every command, and is also printed without arguments', async () => {
  const [asked, silent, word] = await Promise.all([run('--help'), run(), run('help')]);
  assert.equal(asked.exitCode, 0);
  assert.equal(asked.stderr, '');
  assert.match(asked.stdout, /^ {2}run +\S/m);
  assert.match(asked.stdout, /^ {2}version +\S/m);
  assert.match(asked.stdout, /Exit codes: 0 done, 1 failed, 2 wrong input/);
  assert.deepEqual([silent, word], [asked, asked]);
});

test('the help of run explains its flags', async () => {
  const { exitCode, stdout, stderr } = await run('run', '--help');
  assert.equal(exitCode, 0);
  assert.equal(stderr, '');
  for (const flag of ['-c, --config FILE', '--proxy-server HOST:PORT', '--token NAME', '--destination', '--json']) {
    assert.ok(stdout.includes(flag), flag);
  }
});

test('--help takes precedence over everything else on the command line', async () => {
  const [help, amongOthers] = await Promise.all([run('run', '--help'), run('run', '--no-such-flag', '-h')]);
  assert.deepEqual(amongOthers, help);
});

test('each command has its own help', async () => {
  const { exitCode, stdout } = await run('version', '--help');
  assert.equal(exitCode, 0);
  assert.match(stdout, /Usage: machine-id version\n/);
});

test('version prints the version of the release and nothing else', async () => {
  const { version } = Package.parse(JSON.parse(await readFile('package.json', 'utf8')));
  for (const args of [['version'], ['--version']]) {
    assert.deepEqual(await run(...args), { exitCode: 0, stdout: `${version}\n`, stderr: '' });
  }
});

test('an unknown command is invalid input', async () => {
  assertRefused(await run('rnu'), {
    code: 'USAGE_INVALID',
    says: /unknown command "rnu"/,
    hint: /commands are run, .*version/,
  });
});

test('version takes no flags', async () => {
  assertRefused(await run('version', '--loud'), { code: 'USAGE_INVALID', says: /command line/ });
});
