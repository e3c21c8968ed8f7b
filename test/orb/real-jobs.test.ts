/** The orb's commands in images and shells that people have: without some programs, with preloads, with traces. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { clusterForFile } from '../e2e/embedded-cluster.ts';
import { z } from 'zod';
import { missing } from '../programs.ts';
import type { JobOptions, JobResult } from '../job-runner/run-job.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { install, join as joinStep, runOrbJob, stderrOf } from './orb-job.ts';
import { callIn, STAND_IN } from './stand-in.ts';
import { NEEDED, toolFolder } from './tool-folder.ts';

interface Scene {
  readonly home: string;
  /** Runs install, then these steps. */
  readonly run: (
    options: Partial<JobOptions> & { readonly steps?: readonly unknown[]; readonly bundle?: string },
  ) => Promise<JobResult>;
}

async function scene(t: TestContext): Promise<Scene> {
  const home = await temporaryFolder(t);
  return {
    home,
    run: async ({ steps = [], bundle = STAND_IN, ...options }) => {
      const path = join(home, 'bundle.cjs');
      await writeFile(path, bundle);
      return runOrbJob({ bundle, home, ...options, steps: [install({ bundle_path: path }), ...steps] });
    },
  };
}

function succeeded(result: JobResult): JobResult {
  assert.equal(result.exitCode, 0, stderrOf(result));
  return result;
}

const JOIN = joinStep({ config: '', proxy: 'p:443', token: 't', destination: '/d' });

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
      assert.match(stderrOf(result), new RegExp(`Node\\.js is there: ${process.execPath}`));
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

const ZSH = { skip: missing('zsh') ?? false };
const BUSYBOX = { skip: missing('busybox') ?? false };

describe('shells', () => {
  for (const [shell, options] of [
    ['/bin/zsh -eo pipefail', ZSH],
    ['/bin/zsh -exo pipefail', ZSH],
    ['/bin/busybox ash -eo pipefail', BUSYBOX],
    ['/bin/busybox ash -ex', BUSYBOX],
    ['/bin/dash -e', {}],
    ['/bin/sh -ex', {}],
    ['/bin/bash --login -eo pipefail', {}],
    ['/bin/bash -exuCo pipefail', {}],
    ['/bin/bash --posix -e', {}],
  ] as const) {
    test(`${shell} runs every command, and shows no token`, options, async (t) => {
      const { run } = await scene(t);
      const environment = { OTHER: 'the-token-itself', CIRCLE_OIDC_TOKEN: 'the-token-of-circleci' };
      const steps = [
        joinStep({ config: '', proxy: '$PLACE', token: 't', destination: '~/d', oidc_token: 'OTHER' }),
        { 'machine-id/doctor': { oidc_token: 'OTHER' } },
        { 'machine-id/install_tools': { cache: false } },
        { 'machine-id/cleanup': {} },
      ];
      const result = succeeded(await run({ shell, environment: { ...environment, PLACE: 'p:443' }, steps }));
      assert.equal(result.steps.filter(({ stdout }) => callIn(stdout) !== undefined).length, 5);
      const log = result.steps.map(({ stderr }) => stderr).join('');
      assert.doesNotMatch(log, /the-token/);
    });
  }

  test('zsh prints no errors about patterns without matches, and keeps PATH', ZSH, async (t) => {
    const { home, run } = await scene(t);
    const result = await run({
      shell: '/bin/zsh -eo pipefail',
      environment: { NVM_DIR: join(home, 'none') },
      steps: [JOIN],
    });
    succeeded(result);
    assert.doesNotMatch(stderrOf(result), /no matches found|command not found/);
  });
});

describe('variables that earlier commands have exported', () => {
  const EXPORTS = [
    `export TELEPORT_PROXY='p.example.com:443'`,
    `export MACHINE_ID_DESTINATION='/it'\\''s here'`,
    `export OTHER='of the user'`,
    `touch pwned`,
    `case ":\${PATH-}:" in *:'/opt/tools':*) ;; *) export PATH='/opt/tools'"\${PATH:+:}\${PATH-}" ;; esac`,
  ].join('\n');

  for (const [shell, options] of [
    ['/bin/dash -e', {}],
    ['/bin/busybox ash -e', BUSYBOX],
    ['/bin/zsh -e', ZSH],
    ['/bin/bash --posix -e', {}],
  ] as const) {
    test(
      `the orb's own commands find the exports even if the shell (${shell}) does not read them`,
      options,
      async (t) => {
        const { home, run } = await scene(t);
        const tell = `cat >"$BASH_ENV" \\<<'END'\n${EXPORTS}\nEND\n`;
        const result = succeeded(await run({ shell, steps: [{ run: tell }, JOIN] }));
        const call = callIn(result.steps.at(-1)?.stdout ?? '');
        assert.equal(call?.proxy, 'p.example.com:443');
        await assert.rejects(readFile(join(home, 'project/pwned')), { code: 'ENOENT' });
      },
    );
  }
});

test('a variable with an empty value can be missing', async (t) => {
  const { run } = await scene(t);
  const steps = [joinStep({ config: '', token: 't' }), { 'machine-id/doctor': { config: '', proxy: 'p:443' } }];
  const [kept, dropped] = await Promise.all([run({ steps }), run({ steps, emptyVariables: 'dropped' })]);
  assert.deepEqual(
    succeeded(kept).steps.map(({ stdout }) => stdout),
    succeeded(dropped).steps.map(({ stdout }) => stdout),
  );
});

describe('with the real script', async () => {
  const cluster = await clusterForFile();
  const { joinToken, proxy, webCa } = cluster.info;
  const bundle = await readFile('dist/machine-id.cjs', 'utf8');

  for (const [shell, options] of [
    ['/bin/bash -exo pipefail', {}],
    ['/bin/busybox ash -e', BUSYBOX],
    ['/bin/zsh -eo pipefail', ZSH],
  ] as const) {
    test(`${shell}: a job with a preload joins, installs nothing else, and cleans up`, options, async (t) => {
      const { home, run } = await scene(t);
      await copyFile(webCa, join(home, 'ca.pem'));
      const token = await cluster.mint();
      const given = { config: '', proxy, token: joinToken, destination: '~/id', ca_file: '~/ca.pem' };
      const result = succeeded(
        await run({
          shell,
          bundle,
          environment: { CIRCLE_OIDC_TOKEN: token, NODE_OPTIONS: '-r dd-trace/ci/init' },
          steps: [
            joinStep({ ...given, kubernetes_cluster: 'dev', ssh: true }),
            { 'machine-id/doctor': given },
            { run: 'test -s ~/id/identity' },
            { 'machine-id/cleanup': {} },
            { run: 'test ! -e ~/id/identity' },
          ],
        }),
      );
      const log = result.steps.map(({ stderr, stdout }) => stderr + stdout).join('');
      assert.ok(!log.includes(token));
    });
  }

  const WRONG: readonly (readonly [what: string, parameters: Readonly<Record<string, unknown>>, message: RegExp])[] = [
    [
      'a command in a path',
      { destination: '$(pwd)/creds' },
      /the parameter destination: "\$\(pwd\)\/" is not expanded here/,
    ],
    ['nothing to write', { destination: '' }, /the parameter destination/],
    ['a database without a user', { database_user: 'ci' }, /the parameter database/],
    ['no such join token', { token: 'nobody' }, /nobody/],
    ['a lifetime without a unit', { credential_ttl: '90' }, /the parameter credential_ttl: "90" is not a duration/],
    ['an authority that is not there', { ca_file: '/nowhere.pem' }, /nowhere\.pem/],
    ['a Proxy that is not there', { proxy: 'localhost:1', deadline: 1 }, /deadline: 1|localhost:1/],
    ['a variable that is not there', { oidc_token: 'NO_TOKEN' }, /NO_TOKEN, which the parameter oidc_token names/],
  ];

  test('messages name the parameters of the orb, not the flags', async (t) => {
    const { run } = await scene(t);
    const token = await cluster.mint();
    for (const [what, parameters, message] of WRONG) {
      const given = { config: '', proxy, token: joinToken, destination: '~/id', ca_file: webCa, ...parameters };
      const environment = { CIRCLE_OIDC_TOKEN: token };
      for (const step of [joinStep(given), { 'machine-id/doctor': given }]) {
        const result = await run({ bundle, environment, steps: [step] });
        const log = result.steps.map(({ stderr, stdout }) => stderr + stdout).join('');
        if ('machine-id/join' in z.record(z.string(), z.unknown()).parse(step)) {
          assert.notEqual(result.exitCode, 0, what);
          assert.match(log, message, what);
        }
        assert.doesNotMatch(log.replaceAll(/"(?:tctl|ssh)[^"]*"/g, ''), /(?<![\w-])--[a-z]/, what);
      }
    }
  });
});
