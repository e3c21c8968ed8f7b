import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { startReleaseServer } from '../e2e/release-server.ts';
import { ARCHITECTURE, ARCHIVE, archiveOf, VERSION } from '../e2e/tools-job.ts';
import type { JobOptions, JobResult } from '../job-runner/run-job.ts';
import { install, runOrbJob, stderrOf } from './orb-job.ts';
import { callIn, STAND_IN } from './stand-in.ts';

type Parameters = Readonly<Record<string, unknown>>;

let shared: string;
let home: string;

before(async () => {
  shared = await mkdtemp(join(tmpdir(), 'orb-tools-'));
});

after(async () => {
  await rm(shared, { recursive: true, force: true });
});

beforeEach(async () => {
  home = await mkdtemp(join(shared, 'home-'));
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

async function installTools(
  bundle: string,
  parameters: Parameters,
  { steps = [], ...options }: Partial<JobOptions> & { readonly steps?: readonly unknown[] } = {},
): Promise<JobResult> {
  const bundlePath = join(home, 'bundle.cjs');
  await writeFile(bundlePath, bundle);
  const all = [install({ bundle_path: bundlePath }), { 'machine-id/install_tools': parameters }, ...steps];
  return runOrbJob({ bundle, home, ...options, steps: all });
}

async function callsOf(
  parameters: Parameters,
  options: Partial<JobOptions> = {},
): Promise<readonly (readonly string[])[]> {
  const result = await installTools(STAND_IN, parameters, options);
  assert.equal(result.exitCode, 0, stderrOf(result));
  return result.steps.flatMap(({ stdout }) => {
    const call = callIn(stdout);
    return call === undefined ? [] : [call.flags];
  });
}

const USUAL = ['--tools=tsh tctl', '--version=auto'];

const FLAGS: readonly (readonly [what: string, parameters: Parameters, flags: readonly string[]])[] = [
  ['without parameters the cluster decides', {}, USUAL],
  [
    'every choice can be said',
    { tools: 'tbot', version: '18.2.4', edition: 'enterprise', fips: 'none', sha256: 'ab', cache: false },
    ['--tools=tbot', '--version=18.2.4', '--edition=enterprise', '--fips=none', '--sha256=ab'],
  ],
  [
    'addresses are passed on with their variables expanded',
    { proxy: '$PROXY:443', cdn_base_url: 'https://${MIRROR}/teleport' },
    [...USUAL, '--proxy-server=example.teleport.sh:443', '--cdn-base-url=https://mirror.example.com/teleport'],
  ],
];

describe('the parameters of install_tools become flags:', () => {
  test('both steps get a different deadline', async () => {
    const calls = await callsOf({ deadline: 90 });
    assert.deepEqual(
      calls.map((call) => call.at(-1)),
      ['--deadline=90', '--deadline=90'],
    );
  });

  const environment = { PROXY: 'example.teleport.sh', MIRROR: 'mirror.example.com' };
  for (const [what, parameters, flags] of FLAGS) {
    test(what, async () => {
      const tools = join(home, '.teleport-machine-id/tools');
      assert.deepEqual(await callsOf(parameters, { environment }), [
        ['install-tools', ...flags, `--write-plan=${tools}.json`, `--dir=${tools}`],
        ['install-tools', `--plan=${tools}.json`],
      ]);
    });
  }

  test('both steps get the authorities', async () => {
    const calls = await callsOf({ ca_file: '~/ca.pem' });
    assert.deepEqual(
      calls.map((call) => call.at(-1)),
      Array.from({ length: 2 }, () => `--ca-file=${home}/ca.pem`),
    );
  });
});

for (const toolsDir of ['$HOME/tools', '~/tools/']) {
  test(`a cache of ${toolsDir} is not possible, and the error says so`, async () => {
    const result = await installTools(STAND_IN, { tools_dir: toolsDir });
    assert.notEqual(result.exitCode, 0);
    assert.match(stderrOf(result), /tools_dir: .* cannot be cached: .*cache: false/);
  });
}

test('without a cache, any directory can be used', async () => {
  const [plan] = await callsOf({ tools_dir: '$HOME/tools', cache: false });
  assert.ok(plan?.includes(`--dir=${home}/tools`));
});

test('install_tools without install reports what is missing', async () => {
  const result = await runOrbJob({ bundle: STAND_IN, home, steps: [{ 'machine-id/install_tools': {} }] });
  assert.notEqual(result.exitCode, 0);
  assert.match(stderrOf(result), /Run the install command of this orb first/);
});

test('a script that was replaced after install is not run', async () => {
  const swap = { run: 'echo "console.log(1)" >~/.teleport-machine-id/machine-id.cjs' };
  const bundlePath = join(home, 'bundle.cjs');
  await writeFile(bundlePath, STAND_IN);
  const steps = [install({ bundle_path: bundlePath }), swap, { 'machine-id/install_tools': {} }];
  const result = await runOrbJob({ bundle: STAND_IN, home, steps });
  assert.notEqual(result.exitCode, 0);
  assert.match(stderrOf(result), /is refused: expected SHA-256/);
});

describe('with the real script', async () => {
  const server = await startReleaseServer();
  const bundle = await readFile('dist/machine-id.cjs', 'utf8');
  const parameters = { version: VERSION, edition: 'oss' };

  async function job(change: Parameters = {}, cacheStore?: string): Promise<JobResult> {
    const environment = { SSL_CERT_FILE: server.trust.SSL_CERT_FILE ?? '', TELEPORT_CDN_BASE_URL: server.url };
    return installTools(
      bundle,
      { ...parameters, ...change },
      {
        environment,
        steps: [{ run: 'tsh; tctl; command -v tsh' }],
        ...(cacheStore === undefined ? {} : { cacheStore }),
      },
    );
  }

  function programsRun(result: JobResult): void {
    assert.equal(result.exitCode, 0, stderrOf(result));
    assert.match(result.steps.at(-1)?.stdout ?? '', /^tsh off\ntctl off\n\/.*\/bin\/tsh\n$/);
  }

  beforeEach(() => {
    server.offer(ARCHIVE, archiveOf(['tsh', 'tctl']));
    server.requests.length = 0;
  });

  test('later steps can use the programs', async () => {
    programsRun(await job());
  });

  test('a second job of the project restores them from the cache without a request', async () => {
    const store = join(home, 'store');
    await mkdir(store);
    programsRun(await job({}, store));
    assert.deepEqual(server.requests, [`/${ARCHIVE}.sha256`, `/${ARCHIVE}`]);
    await rm(join(home, '.teleport-machine-id'), { recursive: true });
    server.requests.length = 0;
    const second = await job({}, store);
    programsRun(second);
    assert.deepEqual(server.requests, []);
    assert.match(stderrOf(second), /Already installed: tsh, tctl/);
  });

  test('another version does not use that cache', async () => {
    const store = join(home, 'store');
    await mkdir(store);
    programsRun(await job({}, store));
    await rm(join(home, '.teleport-machine-id'), { recursive: true });
    server.offer(`teleport-v17.0.1-linux-${ARCHITECTURE}-bin.tar.gz`, archiveOf(['tsh', 'tctl']));
    const second = await job({ version: '17.0.1' }, store);
    programsRun(second);
    assert.match(stderrOf(second), /^Installed: tsh, tctl of Teleport 17\.0\.1/m);
  });

  test('without a cache, nothing is stored', async () => {
    const store = join(home, 'store');
    await mkdir(store);
    programsRun(await job({ cache: false }, store));
    await rm(join(home, '.teleport-machine-id'), { recursive: true });
    server.requests.length = 0;
    programsRun(await job({ cache: false }, store));
    assert.deepEqual(server.requests, [`/${ARCHIVE}.sha256`, `/${ARCHIVE}`]);
  });
});
