import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunFlags } from '../../src/config/settings.ts';
import type { Plan } from '../../src/config/plan.ts';
import { supportedOutputs } from '../../src/outputs/supported.ts';
import { tbotFile } from '../../src/tbot/config-file.ts';
import { planOf, v2, v2Item } from '../config/plan-of.ts';

const written = (plan: Plan, server: 'proxy' | 'auth' = 'proxy') =>
  tbotFile({ plan, server }, supportedOutputs(plan), '/checkout');

/** What tbot and this program would do alike; relative paths are written out. */
function meaning({ outputs, ...plan }: Plan): unknown {
  const { address, certificateTtlMs, debug, insecure, renewalIntervalMs, settings, token } = plan;
  const { caPins, diagAddr, fips, leeway } = settings;
  return {
    address: `${address.host}:${address.port}`,
    settings: { certificateTtlMs, renewalIntervalMs, leeway, token, caPins, insecure, fips, debug, diagAddr },
    outputs: outputs.map((output) => ({ ...output, line: undefined, path: undefined })),
  };
}

const DIRECTORY =
  'destination: {type: directory, path: /out, symlinks: secure, acls: required, readers: [{user: www}, {group: "33"}]}';

const outputs: readonly (readonly [type: string, keys: readonly string[]])[] = [
  ['identity', [DIRECTORY]],
  [
    'identity',
    ['destination: {type: memory}', 'ssh_config: off', 'cluster: leaf', 'allow_reissue: on', 'roles: [a, b]'],
  ],
  ['identity', [DIRECTORY, 'name: n', 'credential_ttl: 1h1ms', 'renewal_interval: 0.5s']],
  ['application', [DIRECTORY, 'app_name: "007"', 'specific_tls_naming: yes']],
  ['database', [DIRECTORY, 'service: "on"']],
  ['database', [DIRECTORY, 'service: s', 'database: d', 'username: u', 'format: cockroach']],
  ['kubernetes', [DIRECTORY, 'kubernetes_cluster: k']],
  ['kubernetes', [DIRECTORY, 'kubernetes_cluster: k', 'disable_exec_plugin: false']],
  [
    'kubernetes/v2',
    [
      DIRECTORY,
      'selectors: [{name: a, default_namespace: n}, {labels: {env: dev}}]',
      `context_name_template: '{{.KubeName}} {{index .Labels "a-b"}}'`,
    ],
  ],
  ['ssh_host', [DIRECTORY, 'principals: [a.example.com, b]', 'ca_type: openssh']],
  [
    'spiffe-svid',
    [
      DIRECTORY,
      'svid: {path: /ci, hint: h, sans: {dns: [a.example.com], ip: [192.0.2.1]}}',
      'jwts: [{audience: a, file_name: f}]',
      'include_federated_trust_bundles: true',
    ],
  ],
  ['workload-identity-x509', [DIRECTORY, 'selector: {labels: {team: [a, b]}}']],
  ['workload-identity-jwt', [DIRECTORY, 'selector: {name: w}', 'audiences: [a, b]']],
  [
    'workload-identity-aws-roles-anywhere',
    [
      DIRECTORY,
      'selector: {name: w}',
      'role_arn: arn:aws:iam::123456789012:role/r',
      'profile_arn: arn:aws:rolesanywhere:eu-west-1:123456789012:profile/0f0f0f0f-0000-4000-8000-000000000000',
      'trust_anchor_arn: arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/0f0f0f0f-0000-4000-8000-000000000000',
      'region: eu-west-1',
      'session_duration: 2h',
      'credential_profile_name: ci',
      'overwrite_credential_file: true',
    ],
  ],
];

for (const [type, keys] of outputs) {
  test(`an output ${type} with ${keys.slice(1).join(', ') || 'nothing more'} means the same in the file for tbot`, async () => {
    const plan = await planOf(v2Item(type, keys));
    const again = await planOf(written(plan));
    assert.deepEqual(meaning(again), meaning(plan));
    assert.deepEqual(again.warnings, []);
  });
}

const DIRECTORY_FLAG = { destination: '/out', proxyServer: 'p.example.com', token: 't' };

const settings: readonly (readonly [what: string, text: string | undefined, flags: RunFlags])[] = [
  ['flags alone', undefined, DIRECTORY_FLAG],
  ['flags for resources', undefined, { ...DIRECTORY_FLAG, kubernetesCluster: 'k', database: 'd', databaseUser: 'u' }],
  ['a token over that of the file', v2('outputs: []\n'), { token: 'other' }],
  [
    'settings of the file',
    v2(
      'credential_ttl: 90m\nrenewal_interval: 7m\nfips: true\ndebug: true\ndiag_addr: "[::1]:1"\nleeway: 2m\noutputs: []\n',
    ),
    {},
  ],
  ['an insecure run', v2('insecure: true\noutputs: []\n'), {}],
  ['pins', v2('outputs: []\n'), { caPins: [`sha256:${'a'.repeat(64)}`] }],
];

for (const [what, text, flags] of settings) {
  test(`${what}: the file for tbot holds all of it`, async () => {
    const plan = await planOf(text, { flags });
    const again = await planOf(written(plan));
    assert.deepEqual(meaning(again), meaning(plan));
  });
}

test('the file is one that every tbot since 15 reads', async () => {
  const text = written(await planOf(undefined, { flags: { ...DIRECTORY_FLAG, destination: 'out', caPath: 'ca.pem' } }));
  assert.deepEqual(JSON.parse(text), {
    version: 'v2',
    proxy_server: 'p.example.com:443',
    onboarding: { join_method: 'circleci', token: 't', ca_path: '/checkout/ca.pem' },
    storage: { type: 'memory' },
    oneshot: true,
    certificate_ttl: '3600000ms',
    renewal_interval: '1200000ms',
    outputs: [
      {
        type: 'identity',
        destination: { type: 'directory', path: '/checkout/out', symlinks: 'try-secure', acls: 'try', readers: [] },
        ssh_config: 'on',
      },
    ],
  });
});

test('an auth_server at which a Proxy has answered is named as one', async () => {
  const plan = await planOf('version: v2\nauth_server: a.example.com:3080\nonboarding: {token: t}\noutputs: []\n');
  assert.match(written(plan), /"proxy_server": "a\.example\.com:3080"/);
  assert.match(written(plan, 'auth'), /"auth_server": "a\.example\.com:3080"/);
});
