import assert from 'node:assert/strict';
import test from 'node:test';
import type { Follow, ProgramExit } from '../../src/effects/programs.ts';
import { MachineIdError } from '../../src/errors.ts';
import { checkTbotVersion, readTbotVersion } from '../../src/tbot/program.ts';
import { parsePing, parseServerVersion } from '../../src/teleport/ping.ts';

const EXITED: ProgramExit = { outcome: 'exited', exitCode: 0 };

function read(lines: readonly string[], ended: ProgramExit = EXITED, signal = new AbortController().signal) {
  const follow: Follow = (file, args, { onLine }) => {
    assert.deepEqual([file, ...args], ['tbot', 'version']);
    for (const line of lines) onLine(line);
    return Promise.resolve(ended);
  };
  return readTbotVersion({ environment: {}, follow, signal });
}

const SAID: readonly (readonly [line: string, version: string | undefined])[] = [
  ['Teleport v18.2.4 git:v18.2.4-0-gabcdef1 go1.24.4', '18.2.4'],
  ['Teleport v15.3.7 git: go1.21.11', '15.3.7'],
  ['Teleport Enterprise v17.5.0 git:v17.5.0-0-g1234567 go1.24.3 X:boringcrypto', '17.5.0'],
  ['Teleport v19.0.0-alpha.1 git:v19.0.0-alpha.1-3-gffff go1.26', '19.0.0-alpha.1'],
  ['Teleport v20.0.0-dev git:api/v0.0.0 go1.27', '20.0.0-dev'],
  ['tbot v18.0.0', '18.0.0'],
  ['started at 10.0.0.1', undefined],
  ['Teleport v18', undefined],
  ['Teleport v1.2.3.4', undefined],
  ['Teleport v999999.0.0', undefined],
  ['', undefined],
];

for (const [line, version] of SAID) {
  test(`"${line}" is ${version ?? 'no version'}`, async () => {
    assert.equal((await read(['2026-01-01T00:00:00Z WARN something', line]))?.text, version);
  });
}

test('a tbot that fails, hangs or is killed does not print its version; one that is missing is an error', async () => {
  const line = 'Teleport v18.2.4 git: go1.24.4';
  for (const ended of [
    { outcome: 'exited', exitCode: 1 },
    { outcome: 'late' },
    { outcome: 'killed', by: 'SIGKILL' },
  ] as const) {
    assert.equal(await read([line], ended), undefined);
  }
  await assert.rejects(read([], { outcome: 'not started', reason: 'ENOENT' }), { code: 'TBOT_MISSING' });
});

test('a run that is interrupted meanwhile ends with that', async () => {
  const controller = new AbortController();
  controller.abort(new MachineIdError('INTERRUPTED', 'ended', { hint: 'a' }));
  await assert.rejects(read([], { outcome: 'killed', by: 'SIGTERM' }, controller.signal), { code: 'INTERRUPTED' });
});

test('of a program that talks without end, the first lines are read', async () => {
  const many = Array.from({ length: 10_000 }, () => 'noise');
  assert.equal(await read([...many, 'Teleport v18.2.4 git: go1.24.4']), undefined);
});

const FITS: readonly (readonly [
  tbot: string,
  cluster: string,
  minimum: string | undefined,
  outcome: RegExp | undefined,
])[] = [
  ['18.6.0', '18.6.0', '17.0.0-aa', undefined],
  ['17.0.0', '18.6.0', '17.0.0-aa', undefined],
  ['17.0.0-alpha.2', '18.6.0', '17.0.0-aa', undefined],
  ['18.9.9', '18.0.0', '17.0.0-aa', undefined],
  ['15.3.7', '15.3.7', undefined, undefined],
  ['15.3.7', '16.4.0', '15.0.0', undefined],
  [
    '16.4.0',
    '18.6.0',
    '17.0.0-aa',
    /^tbot 16\.4\.0 is too old for the cluster c \(Teleport 18\.6\.0\), which requires tbot 17 or/,
  ],
  ['17.9.9', '19.0.0', undefined, /which requires tbot 18 or later$/],
  ['18.0.0', '20.1.0', undefined, /which requires tbot 19 or later$/],
  ['17.1.0', '18.6.0', '17.2.0', /which requires 17\.2\.0 or later$/],
  ['15.3.6', '15.3.7', undefined, /^tbot 15\.3\.6 is too old: this program works with tbot 15\.3\.7 or later$/],
  ['15.3.7-rc.1', '15.3.7', undefined, /^tbot 15\.3\.7-rc\.1 is too old/],
  ['10.3.16', '15.3.7', undefined, /15\.3\.7 or later$/],
];

function clusterOf(version: string, minimum: string | undefined) {
  const body = { cluster_name: 'c', server_version: version, min_client_version: minimum };
  return parsePing(JSON.stringify(body), { host: 'proxy.example.com', port: 443 });
}

for (const [tbot, cluster, minimum, message] of FITS) {
  test(`tbot ${tbot} ${message === undefined ? 'fits' : 'does not fit'} Teleport ${cluster} from ${minimum ?? 'any'}`, () => {
    const check = () => checkTbotVersion(parseServerVersion(tbot), clusterOf(cluster, minimum), 'circleci');
    if (message === undefined) assert.equal(check(), undefined);
    else assert.throws(check, { code: 'TBOT_INCOMPATIBLE', message, hint: /install_tools/ });
  });
}

test('a newer major version, and one that is not known, are warnings', () => {
  const cluster = clusterOf('18.6.0', '17.0.0-aa');
  assert.match(
    checkTbotVersion(parseServerVersion('19.0.0'), cluster, 'circleci') ?? '',
    /^tbot 19\.0\.0 is newer than the cluster c/,
  );
  assert.match(checkTbotVersion(undefined, cluster, 'circleci') ?? '', /does not print its version/);
});

test('generic_oidc needs tbot 18.11', () => {
  const cluster = clusterOf('18.11.0', undefined);
  const check = (tbot: string) => checkTbotVersion(parseServerVersion(tbot), cluster, 'generic_oidc');
  assert.equal(check('18.11.0'), undefined);
  assert.throws(() => check('18.10.9'), { code: 'TBOT_INCOMPATIBLE', message: /does not know the join method/ });
});
