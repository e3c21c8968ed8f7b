import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { JobOptions, JobResult } from '../job-runner/run-job.ts';
import { install, join as joinStep, runOrbJob, stderrOf } from './orb-job.ts';
import { callIn, STAND_IN as BUNDLE } from './stand-in.ts';

let shared: string;
let home: string;
let project: string;

before(async () => {
  shared = await mkdtemp(join(tmpdir(), 'orb-run-'));
  await writeFile(join(shared, 'bundle.cjs'), BUNDLE);
});

after(async () => {
  await rm(shared, { recursive: true, force: true });
});

beforeEach(async () => {
  home = await mkdtemp(join(shared, 'home-'));
  project = join(home, 'project');
  await mkdir(project);
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

type Parameters = Readonly<Record<string, unknown>>;

function installAndRun(parameters: Parameters, options: Partial<JobOptions> = {}): Promise<JobResult> {
  const steps = [install({ bundle_path: join(shared, 'bundle.cjs') }), joinStep(parameters)];
  return runOrbJob({ bundle: BUNDLE, home, ...options, steps });
}

function callOf(result: JobResult): NonNullable<ReturnType<typeof callIn>> {
  assert.equal(result.exitCode, 0, stderrOf(result));
  const call = callIn(result.steps.at(-1)?.stdout ?? '');
  assert.ok(call !== undefined);
  return call;
}

async function flagsOf(parameters: Parameters, options: Partial<JobOptions> = {}): Promise<readonly string[]> {
  const [command, ...flags] = callOf(await installAndRun(parameters, options)).flags;
  assert.equal(command, 'run');
  return flags;
}

const SIMPLE = { proxy: 'example.teleport.sh:443', token: 'ci', destination: '/run/id' };
const SIMPLE_FLAGS = ['--proxy-server=example.teleport.sh:443', '--token=ci', '--destination=/run/id'];

const calls: readonly (readonly [what: string, parameters: Parameters, flags: readonly string[]])[] = [
  ['without parameters, the default file is asked for', {}, ['--config=tbot.yaml']],
  ['the simple parameters need no file', SIMPLE, SIMPLE_FLAGS],
  [
    'method and audience are passed on',
    { ...SIMPLE, join_method: 'generic_oidc', audience: 'a b' },
    [...SIMPLE_FLAGS.slice(0, 2), '--join-method=generic_oidc', '--audience=a b', ...SIMPLE_FLAGS.slice(2)],
  ],
  [
    'a file that is named is asked for, there or not',
    { ...SIMPLE, config: 'ci.yaml' },
    ['--config=ci.yaml', ...SIMPLE_FLAGS],
  ],
  ['an empty name means no file', { config: '' }, []],
  ['one authority file is passed on', { ca_file: 'ca.pem' }, ['--config=tbot.yaml', '--ca-file=ca.pem']],
  [
    'credentials can be renewed, and last as long as the job',
    { refresh: true, credential_ttl: 'job' },
    ['--config=tbot.yaml', '--credential-ttl=job', '--refresh'],
  ],
  ['exports can be switched off', { export_env: false }, ['--config=tbot.yaml', '--no-export']],
  [
    'what to write can be said without a file',
    {
      ...SIMPLE,
      ssh: true,
      kubernetes_cluster: 'dev',
      database: 'orders',
      database_user: 'ci',
      database_name: 'sales',
      application: 'dashboard',
    },
    [
      ...SIMPLE_FLAGS,
      '--ssh',
      '--kubernetes-cluster=dev',
      '--database=orders',
      '--database-user=ci',
      '--database-name=sales',
      '--application=dashboard',
    ],
  ],
  ['tbot may be named as the engine', { engine: 'tbot' }, ['--config=tbot.yaml', '--engine=tbot']],
  ['another deadline is passed on', { deadline: 90 }, ['--config=tbot.yaml', '--deadline=90']],
  ['debug is a switch', { debug: true }, ['--config=tbot.yaml', '--debug']],
];

for (const [what, parameters, flags] of calls) {
  test(what, async () => {
    assert.deepEqual(await flagsOf(parameters), flags);
  });
}

test('the default file is read if it exists, with or without simple parameters', async () => {
  await writeFile(join(project, 'tbot.yaml'), '');
  assert.deepEqual(await flagsOf(SIMPLE), ['--config=tbot.yaml', ...SIMPLE_FLAGS]);
});

test('the script and the lookup of the default file use the working directory', async () => {
  await mkdir(join(project, 'sub'));
  await writeFile(join(project, 'sub/tbot.yaml'), '');
  const { flags, directory } = callOf(await installAndRun({ ...SIMPLE, working_directory: 'sub' }));
  assert.deepEqual(flags.slice(0, 2), ['run', '--config=tbot.yaml']);
  assert.equal(directory, join(project, 'sub'));
});

const odd = [
  'two words',
  `it's "quoted"`,
  '$(touch pwned)',
  '`touch pwned`',
  '; touch pwned #',
  'back\\slash\\n',
  '* ? [a]',
  'a\nb',
  '50% %s',
  '-e',
  'tilde~/inside',
  'ü 漢 🚀',
  '$',
  'a$',
  '$1',
  '${',
  '<x>',
] as const;

for (const shell of ['/bin/bash -eo pipefail', '/bin/dash -e']) {
  test(`a value reaches the script unchanged (${shell})`, async () => {
    const steps = odd.map((token) => joinStep({ config: '', token }));
    const result = await runOrbJob({
      bundle: BUNDLE,
      home,
      shell,
      steps: [install({ bundle_path: join(shared, 'bundle.cjs') }), ...steps],
    });
    assert.equal(result.exitCode, 0, stderrOf(result));
    const tokens = result.steps.slice(3).map(({ stdout }) => callIn(stdout)?.flags[1]);
    assert.deepEqual(
      tokens,
      odd.map((token) => `--token=${token}`),
    );
    await assert.rejects(readFile(join(project, 'pwned')), { code: 'ENOENT' });
  });
}

const expansions: readonly (readonly [written: string, expected: string])[] = [
  ['$NAME', 'web'],
  ['${NAME}', 'web'],
  ['$NAME.example.com:$PORT', 'web.example.com:443'],
  ['${NAME}_x$NAME', 'web_xweb'],
  ['$EMPTY|', '|'],
  // What a variable holds is never looked at again.
  ['$TRICKY', '$NAME $(id) ~/x'],
];

for (const [written, expected] of expansions) {
  test(`${written} becomes ${expected}`, async () => {
    const environment = { NAME: 'web', PORT: '443', EMPTY: '', TRICKY: '$NAME $(id) ~/x' };
    assert.deepEqual(await flagsOf({ config: '', proxy: written }, { environment }), [`--proxy-server=${expected}`]);
  });
}

test('a leading ~/ is the home directory', async () => {
  assert.deepEqual(await flagsOf({ config: '', destination: '~/id' }), [`--destination=${join(home, 'id')}`]);
});

test('a variable that an earlier step exported is expanded', async () => {
  const result = await runOrbJob({
    bundle: BUNDLE,
    home,
    steps: [
      { run: `echo "export ADDRESS='a.example.com:443'" >> "$BASH_ENV"` },
      install({ bundle_path: join(shared, 'bundle.cjs') }),
      joinStep({ config: '', proxy: '$ADDRESS' }),
    ],
  });
  assert.deepEqual(callOf(result).flags, ['run', '--proxy-server=a.example.com:443']);
});

for (const [written, message] of [
  ['$NOWHERE:443', / - proxy: "\$NOWHERE:443" contains \$NOWHERE, but the job has no variable of that name/],
  ['${A-b}', /"\$\{A-b\}" contains \$\{A-b\}, which is not the name of a variable/],
  ['${}', /which is not the name of a variable/],
] as const) {
  test(`${written} fails the step before the script runs`, async () => {
    const result = await installAndRun({ config: '', proxy: written });
    assert.equal(result.exitCode, 2);
    assert.match(stderrOf(result), message);
    assert.equal(result.steps.at(-1)?.stdout, '');
  });
}

test("the step has the script's exit code", async () => {
  assert.equal((await installAndRun({}, { environment: { EXIT_CODE: '2' } })).exitCode, 2);
});

test('a script that was changed after install is not run', async () => {
  const tamper = { run: 'echo "console.log(1)" >> ~/.teleport-machine-id/machine-id.cjs' };
  const result = await runOrbJob({
    bundle: BUNDLE,
    home,
    steps: [install({ bundle_path: join(shared, 'bundle.cjs') }), tamper, joinStep()],
  });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /machine-id\.cjs is refused: expected SHA-256/);
  assert.equal(result.steps.at(-1)?.stdout, '');
});

test('join without install reports the missing install', async () => {
  const result = await runOrbJob({ bundle: BUNDLE, home, steps: [joinStep()] });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /machine-id\.cjs is not in .*[^]*Run the install command of this orb first/);
});

test('install and join use the same directory, given or default', async () => {
  const environment = { TMPDIR: await mkdtemp(join(shared, 'tmp-')) };
  for (const [options, parameters] of [
    [{ home }, { install_dir: '~/tools' }],
    [{ home: undefined, workingDirectory: project, environment }, {}],
    [{ home: '/dev/null', workingDirectory: project, environment }, {}],
  ] as const) {
    const steps = [install({ bundle_path: join(shared, 'bundle.cjs'), ...parameters }), joinStep(parameters)];
    callOf(await runOrbJob({ bundle: BUNDLE, ...options, steps }));
  }
});

test('a step without bash explains how later steps get the exports', async () => {
  assert.match(
    stderrOf(await installAndRun({}, { shell: '/bin/dash -e' })),
    /begin later steps with {2}\. "\$BASH_ENV"/,
  );
  assert.doesNotMatch(stderrOf(await installAndRun({})), /BASH_ENV/);
});

test('another variable can contain the OIDC token', async () => {
  assert.deepEqual(await flagsOf({ config: '', oidc_token: 'OTHER_TOKEN' }), ['--oidc-token=OTHER_TOKEN']);
});

test('telemetry is set only for the step, and keeps the value of the job unless requested', async () => {
  const seen = async (parameters: Parameters, environment: Readonly<Record<string, string>> = {}) =>
    callOf(await installAndRun({ ...SIMPLE, ...parameters }, { environment })).telemetry;
  assert.equal(await seen({}), undefined);
  assert.equal(await seen({ anonymous_telemetry: true }), '1');
  assert.equal(await seen({}, { TELEPORT_ANONYMOUS_TELEMETRY: 'true' }), 'true');
});
