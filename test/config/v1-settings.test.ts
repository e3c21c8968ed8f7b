import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf, planOf } from './plan-of.ts';

const HEAD = 'auth_server: a.example.com:3025\nonboarding: {token: t, join_method: circleci}\n';
const DEPRECATED =
  'Deprecated config version (V1) detected in tbot.yaml; it is read as version v2 and should be rewritten in that version';

function v1(destination: string): string {
  return `${HEAD}destinations:\n- ${destination}\n`;
}

test('a file without a version is read as v1, with a warning', async () => {
  for (const version of ['', 'version: v1\n', 'version: ""\n', 'version:\n']) {
    const plan = await planOf(`${version}${HEAD}certificate_ttl: 30m\nrenewal_interval: 10m\noneshot: true\n`);
    assert.deepEqual([plan.address.kind, plan.token, plan.settings.oneshot], ['auth', 't', true]);
    assert.deepEqual([plan.certificateTtlMs, plan.renewalIntervalMs], [1_800_000, 600_000]);
    assert.deepEqual(plan.outputs, []);
    assert.deepEqual(plan.warnings, [DEPRECATED]);
  }
});

test('storage of v1 is a path, a directory with settings, or memory', async () => {
  const directory = { type: 'directory', path: '/s', symlinks: 'try-secure', acls: 'try', readers: [] };
  const cases = [
    ['{directory: /s}', directory],
    ['{directory: {path: /s, acls: off}}', { ...directory, acls: 'off' }],
    ['{memory: {}}', { type: 'memory' }],
    ['{memory: true}', { type: 'memory' }],
    ['{memory: false, directory: /s}', directory],
    ['{}', undefined],
  ] as const;
  for (const [storage, expected] of cases) {
    assert.deepEqual((await planOf(`${HEAD}storage: ${storage}\n`)).settings.storage, expected, storage);
  }
});

const MIGRATED: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['{directory: /d}', { type: 'identity', sshConfig: true, roles: [], cluster: undefined }],
  ['{directory: /d, roles: [a], cluster: leaf}', { type: 'identity', roles: ['a'], cluster: 'leaf' }],
  ['{directory: /d, configs: [ssh_client, identity: {}, tls_cas: ~]}', { type: 'identity' }],
  ['{directory: /d, app: grafana}', { type: 'application', appName: 'grafana', specificTlsNaming: false }],
  ['{directory: /d, app: grafana, configs: [tls]}', { type: 'application', specificTlsNaming: true }],
  [
    '{directory: /d, database: {service: s, database: n, username: u}}',
    { type: 'database', service: 's', database: 'n', username: 'u', format: 'default' },
  ],
  ['{directory: /d, database: {service: s}, configs: [mongo]}', { type: 'database', format: 'mongo' }],
  ['{directory: /d, database: {service: s}, configs: [cockroach]}', { type: 'database', format: 'cockroach' }],
  ['{directory: /d, database: {service: s}, configs: [tls]}', { type: 'database', format: 'tls' }],
  ['{directory: /d, kubernetes_cluster: k}', { type: 'kubernetes', kubernetesCluster: 'k', execPlugin: false }],
  [
    '{directory: /d, configs: [ssh_host_cert: {principals: [h]}]}',
    { type: 'ssh_host', principals: ['h'], caType: 'user' },
  ],
];

test('a destination of v1 becomes the output that it meant', async () => {
  for (const [destination, expected] of MIGRATED) {
    const plan = await planOf(v1(destination));
    const [output] = plan.outputs;
    assert.deepEqual({ ...output, ...expected, path: 'destinations[0]', line: 4 }, output, destination);
    assert.deepEqual(plan.warnings, [DEPRECATED], destination);
  }
});

const REFUSED: readonly (readonly [string, string])[] = [
  ['{}', 'destinations[0]:4: no destination configured for output; in version v1 write "directory: DIR"'],
  ['{directory: /d, memory: {}}', "destinations[0]:4: both 'memory' and 'directory' cannot be specified"],
  ['{directory: {}}', 'destinations[0].directory.path:4: destination path must not be empty'],
  ['{directory: ""}', 'destinations[0].directory:4: destination path must not be empty'],
  ['{directory: [a]}', 'destinations[0].directory:4: cannot unmarshal !!seq into a mapping'],
  ['{memory: {a: b}}', 'destinations[0].memory:4: memory has no settings; write "memory: {}"'],
  ['{memory: maybe}', 'destinations[0].memory:4: memory must be a mapping; write "memory: {}"'],
  [
    '{directory: /d, app: a, kubernetes_cluster: k}',
    'destinations[0]:4: multiple potential output types detected, cannot determine correct type',
  ],
  [
    '{directory: /d, database: {service: s}, configs: [ssh_host_cert: {principals: [h]}]}',
    'destinations[0]:4: multiple potential output types detected, cannot determine correct type',
  ],
  ['{directory: /d, database: {}}', 'destinations[0].database.service:4: service must not be empty'],
  ['{directory: /d, configs: [jks]}', 'destinations[0].configs[0]:4: unrecognized config template "jks"'],
  [
    '{directory: /d, configs: [identity: {path: x}]}',
    'destinations[0].configs[0]:4: configuration options are not supported by migration for identity config template',
  ],
  [
    '{directory: /d, configs: [ssh_host_cert]}',
    'destinations[0].configs[0].ssh_host_cert:4: at least one principal must be specified',
  ],
  [
    '{directory: /d, configs: [{tls: ~, mongo: ~}]}',
    'destinations[0].configs[0]:4: a config template must be a name, or a mapping with one key',
  ],
  [
    '{directory: /d, database: {service: s}, configs: [mongo, tls]}',
    'destinations[0].configs:4: only one of mongo, tls can be written to one destination',
  ],
];

test('a key that cannot be migrated is reported with path and line', async () => {
  for (const [destination, expected] of REFUSED) {
    assert.deepEqual(await faultsOf(v1(destination)), [expected], destination);
  }
});

test('a v2 file that forgot its version is not taken for an empty v1 file', async () => {
  const message = 'config has been detected as potentially v1, but includes the v2';
  const advice = 'write "version: v2" at the top of the file';
  assert.deepEqual(await faultsOf(`${HEAD}outputs: [{type: identity}]\n`), [
    `outputs:3: ${message} outputs field; ${advice}`,
  ]);
  assert.deepEqual(await faultsOf(`${HEAD}proxy_server: p:1\n`), [
    `proxy_server:3: ${message} proxy_server field; ${advice}`,
  ]);
});

test('unknown keys of v1 are warned about too', async () => {
  const plan = await planOf(v1('{directory: /d, role: [a]}'));
  assert.deepEqual(plan.warnings.toSorted(), [
    DEPRECATED,
    'tbot.yaml line 4: destinations[0].role: unknown key "role" is ignored; did you mean "roles"?',
  ]);
});
