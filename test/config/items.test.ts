import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../src/config/items.ts';
import { DEFAULT_CONTEXT_TEMPLATE } from '../../src/outputs/context-name.ts';
import type { Output } from '../../src/outputs/supported.ts';
import type { Tunnel } from '../../src/tunnels/tunnels.ts';
import { faultsOf, planOf, v2, v2Item } from './plan-of.ts';

const ARNS = {
  role: 'arn:aws:iam::123456789012:role/ci',
  profile: 'arn:aws:rolesanywhere:eu-west-1:123456789012:profile/p',
  trustAnchor: 'arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/t',
} as const;

const ARN_KEYS = [
  `role_arn: '${ARNS.role}'`,
  `profile_arn: '${ARNS.profile}'`,
  `trust_anchor_arn: '${ARNS.trustAnchor}'`,
];

const ANCHOR_ELSEWHERE = ARNS.trustAnchor.replace('eu-west-1', 'eu-west-2');
const ANCHOR_NOWHERE = ARNS.trustAnchor.replace('eu-west-1', '');

const MINUTE_MS = 60_000;
const DIR = 'destination: {type: directory, path: /out}';
const DIRECTORY = { type: 'directory', path: '/out', symlinks: 'try-secure', acls: 'try', readers: [] } as const;

const PLACED = { name: undefined, roles: [], lifetime: undefined, path: 'outputs[0]', line: 5 } as const;
const WRITTEN = {
  ...PLACED,
  destination: DIRECTORY,
  ttlMs: 60 * MINUTE_MS,
  renewalIntervalMs: 20 * MINUTE_MS,
} as const;

/** With no more keys than the type needs: what every other key defaults to. */
const DEFAULTS: readonly { readonly keys: readonly string[]; readonly output: Output }[] = [
  {
    keys: [DIR],
    output: {
      ...WRITTEN,
      type: 'identity',
      cluster: undefined,
      sshConfig: true,
      allowReissue: false,
      delegationSessionId: undefined,
    },
  },
  {
    keys: [DIR, 'app_name: grafana'],
    output: { ...WRITTEN, type: 'application', appName: 'grafana', specificTlsNaming: false },
  },
  {
    keys: [DIR, 'service: pg'],
    output: {
      ...WRITTEN,
      type: 'database',
      service: 'pg',
      database: undefined,
      username: undefined,
      format: 'default',
    },
  },
  {
    keys: [DIR, 'kubernetes_cluster: prod'],
    output: {
      ...WRITTEN,
      type: 'kubernetes',
      kubernetesCluster: 'prod',
      execPlugin: false,
      contextNameTemplate: DEFAULT_CONTEXT_TEMPLATE,
      relayServer: undefined,
    },
  },
  {
    keys: [DIR, 'selectors: [{name: prod}, {labels: {env: 1}, default_namespace: web}]'],
    output: {
      ...WRITTEN,
      type: 'kubernetes/v2',
      selectors: [
        { name: 'prod', labels: {}, defaultNamespace: undefined },
        { name: undefined, labels: { env: '1' }, defaultNamespace: 'web' },
      ],
      execPlugin: false,
      contextNameTemplate: DEFAULT_CONTEXT_TEMPLATE,
      relayServer: undefined,
    },
  },
  {
    keys: [DIR, 'principals: [host.example.com]'],
    output: { ...WRITTEN, type: 'ssh_host', principals: ['host.example.com'], caType: 'user' },
  },
  {
    keys: [DIR, 'svid: {path: /web}'],
    output: {
      ...WRITTEN,
      type: 'spiffe-svid',
      svid: { path: '/web', hint: undefined, dnsNames: [], ipAddresses: [] },
      jwts: [],
      includeFederatedTrustBundles: false,
    },
  },
  {
    keys: [DIR, 'selector: {name: web}'],
    output: {
      ...WRITTEN,
      type: 'workload-identity-x509',
      selector: { name: 'web', labels: {} },
      includeFederatedTrustBundles: false,
    },
  },
  {
    keys: [DIR, 'selector: {labels: {env: [a, b]}}', 'audiences: [x]'],
    output: {
      ...WRITTEN,
      type: 'workload-identity-jwt',
      selector: { name: undefined, labels: { env: ['a', 'b'] } },
      audiences: ['x'],
    },
  },
  {
    keys: [DIR, 'selector: {name: web}', ...ARN_KEYS],
    output: {
      ...WRITTEN,
      type: 'workload-identity-aws-roles-anywhere',
      selector: { name: 'web', labels: {} },
      roleArn: ARNS.role,
      profileArn: ARNS.profile,
      trustAnchorArn: ARNS.trustAnchor,
      region: undefined,
      sessionDurationMs: 360 * MINUTE_MS,
      sessionRenewalIntervalMs: 60 * MINUTE_MS,
      credentialProfileName: 'default',
      artifactName: 'aws_credentials',
      overwriteCredentialFile: false,
    },
  },
];

for (const { keys, output } of DEFAULTS) {
  test(`an output of type ${output.type} has the defaults of its type`, async () => {
    assert.deepEqual((await planOf(v2Item(output.type, keys))).outputs, [output]);
  });
}

test('an argo-cd output needs no destination, and only what all outputs share is kept of it', async () => {
  const plan = await planOf(v2Item('kubernetes/argo-cd', ['selectors: [{name: prod}]']));
  const lifetime = { ttlMs: 60 * MINUTE_MS, renewalIntervalMs: 20 * MINUTE_MS };
  assert.deepEqual(plan.outputs, [{ ...PLACED, ...lifetime, type: 'kubernetes/argo-cd' }]);
});

/** Every key of every type that has a default, given otherwise. */
const GIVEN: readonly (readonly [string, readonly string[], Readonly<Record<string, unknown>>])[] = [
  ['identity', ['cluster: leaf'], { cluster: 'leaf' }],
  ['identity', ['ssh_config: off'], { sshConfig: false }],
  ['identity', ['ssh_config: "on"'], { sshConfig: true }],
  ['identity', ['ssh_config: ~'], { sshConfig: true }],
  ['identity', ['allow_reissue: yes'], { allowReissue: true }],
  ['identity', ['allow_reissue: "on"'], { allowReissue: true }],
  ['identity', ['allow_reissue: ~'], { allowReissue: false }],
  ['identity', ['delegation_session_id: d'], { delegationSessionId: 'd' }],
  ['identity', ['roles: [a, 7, "on"]'], { roles: ['a', '7', 'on'] }],
  ['identity', ['name: a-Z_0+'], { name: 'a-Z_0+' }],
  [
    'identity',
    ['credential_ttl: 30m', 'renewal_interval: 10m'],
    {
      lifetime: { ttlMs: 30 * MINUTE_MS, renewalIntervalMs: 10 * MINUTE_MS },
      ttlMs: 30 * MINUTE_MS,
      renewalIntervalMs: 10 * MINUTE_MS,
    },
  ],
  ['identity', ['credential_ttl: 0s', 'renewal_interval: "0"'], { lifetime: undefined, ttlMs: 60 * MINUTE_MS }],
  ['application', ['app_name: a', 'specific_tls_naming: true'], { specificTlsNaming: true }],
  [
    'database',
    ['service: s', 'database: d', 'username: u', 'format: mongo'],
    { database: 'd', username: 'u', format: 'mongo' },
  ],
  ['database', ['service: s', 'format: ""'], { format: 'default' }],
  ['database', ['service: s', 'format: tls'], { format: 'tls' }],
  ['database', ['service: s', 'format: cockroach'], { format: 'cockroach' }],
  [
    'kubernetes',
    ['kubernetes_cluster: k', 'disable_exec_plugin: true', 'context_name_template: t', 'relay_server: r'],
    { execPlugin: false, contextNameTemplate: [{ kind: 'text', text: 't' }], relayServer: 'r' },
  ],
  ['kubernetes', ['kubernetes_cluster: k', 'disable_exec_plugin: false'], { execPlugin: true }],
  [
    'kubernetes/v2',
    ['selectors: [{name: k}]', 'disable_exec_plugin: false', 'context_name_template: "{{.KubeName}}"'],
    { execPlugin: true, contextNameTemplate: [{ kind: 'field', field: 'kubeName' }] },
  ],
  [
    'kubernetes/argo-cd',
    [
      'selectors: [{name: k}]',
      'secret_namespace: n',
      'secret_name_prefix: p',
      'secret_labels: {a: b}',
      'secret_annotations: {c: 1}',
      'project: q',
      'namespaces: [x]',
      'cluster_resources: true',
      'cluster_name_template: t',
    ],
    {},
  ],
  ['ssh_host', ['principals: [a]', 'ca_type: openssh'], { caType: 'openssh' }],
  [
    'spiffe-svid',
    [
      'svid: {path: /a, hint: h, sans: {dns: [d], ip: [10.0.0.1, "::1"]}}',
      'jwts: [{audience: a, file_name: f}]',
      'include_federated_trust_bundles: true',
    ],
    {
      svid: { path: '/a', hint: 'h', dnsNames: ['d'], ipAddresses: ['10.0.0.1', '::1'] },
      jwts: [{ audience: 'a', fileName: 'f' }],
      includeFederatedTrustBundles: true,
    },
  ],
  // SVIDs are no certificates of the bot and may live longer.
  [
    'workload-identity-x509',
    ['selector: {name: n}', 'credential_ttl: 336h', 'renewal_interval: 1h'],
    { ttlMs: 336 * 60 * MINUTE_MS },
  ],
  [
    'workload-identity-aws-roles-anywhere',
    [
      'selector: {name: n}',
      ...ARN_KEYS,
      'region: eu-west-1',
      'session_duration: 12h',
      'session_renewal_interval: 2h',
      'credential_profile_name: c',
      'artifact_name: f',
      'overwrite_credential_file: on',
    ],
    {
      region: 'eu-west-1',
      sessionDurationMs: 720 * MINUTE_MS,
      sessionRenewalIntervalMs: 120 * MINUTE_MS,
      credentialProfileName: 'c',
      artifactName: 'f',
      overwriteCredentialFile: true,
    },
  ],
];

test('every key of an output is read', async () => {
  for (const [type, keys, expected] of GIVEN) {
    const plan = await planOf(v2Item(type, type === 'kubernetes/argo-cd' ? keys : [DIR, ...keys]));
    const [output] = plan.outputs;
    assert.deepEqual({ ...output, ...expected }, output, `${type} ${keys.join(', ')}`);
    assert.deepEqual(plan.warnings, []);
  }
});

/** What stands between the `type` and the end of a message. */
const REFUSED: readonly (readonly [string, readonly string[], string])[] = [
  [
    'identity',
    [],
    'outputs[0].destination:5: no destination configured for output; write "destination: {type: directory, path: DIR}"',
  ],
  [
    'identity',
    ['destination:'],
    'outputs[0].destination:5: no destination configured for output; write "destination: {type: directory, path: DIR}"',
  ],
  [
    'identity',
    ['destination: /out'],
    'outputs[0].destination:5: cannot unmarshal !!str `/out` into a mapping; write {type: directory, path: /out}',
  ],
  [
    'identity',
    ['destination: {}'],
    'outputs[0].destination.type:5: unrecognized destination type (): "type" is missing; write "type: directory" and "path: DIR"',
  ],
  [
    'identity',
    ['destination: {type: directry, path: /x}'],
    'outputs[0].destination.type:5: unrecognized destination type (directry); did you mean "directory"?',
  ],
  [
    'identity',
    ['destination: {type: nop}'],
    'outputs[0].destination.type:5: unrecognized destination type (nop); expected one of directory, memory, kubernetes_secret',
  ],
  ['identity', ['destination: {type: directory}'], 'outputs[0].destination.path:5: destination path must not be empty'],
  [
    'identity',
    ['destination: {type: directory, path: ""}'],
    'outputs[0].destination.path:5: destination path must not be empty',
  ],
  [
    'identity',
    ['destination: {type: directory, path: /x, symlinks: never}'],
    'outputs[0].destination.symlinks:5: invalid symlinks mode: "never"; expected one of secure, try-secure, insecure',
  ],
  [
    'identity',
    ['destination: {type: directory, path: /x, acls: false}'],
    'outputs[0].destination.acls:5: invalid acls mode: "false"; expected one of off, try, required',
  ],
  [
    'identity',
    ['destination: {type: directory, path: /x, readers: [{user: a}, {}]}'],
    'outputs[0].destination.readers[1]:5: reader entry 1 is invalid; set either user or group',
  ],
  [
    'identity',
    ['destination: {type: directory, path: /x, readers: [{user: a, group: b}]}'],
    'outputs[0].destination.readers[0]:5: reader entry 0 is invalid; set either user or group',
  ],
  ['identity', ['destination: {type: kubernetes_secret}'], 'outputs[0].destination.name:5: name must not be empty'],
  [
    'identity',
    [DIR, 'ssh_config: true'],
    'outputs[0].ssh_config:6: ssh_config: unrecognized value "true"; expected one of on, off',
  ],
  [
    'identity',
    [DIR, "allow_reissue: 'true'"],
    'outputs[0].allow_reissue:6: cannot unmarshal !!str `true` into bool; write true or false',
  ],
  [
    'identity',
    [DIR, 'allow_reissue: 1'],
    'outputs[0].allow_reissue:6: cannot unmarshal !!int `1` into bool; write true or false',
  ],
  [
    'identity',
    [DIR, 'allow_reissue: oN'],
    'outputs[0].allow_reissue:6: cannot unmarshal !!str `oN` into bool; write true or false',
  ],
  [
    'identity',
    [DIR, 'roles: access'],
    'outputs[0].roles:6: cannot unmarshal !!str `access` into a list; write each item after "- "',
  ],
  ['identity', [DIR, 'roles: [{a: b}]'], 'outputs[0].roles[0]:6: cannot unmarshal !!map into string'],
  ['identity', [DIR, 'cluster: [leaf]'], 'outputs[0].cluster:6: cannot unmarshal !!seq into string'],
  [
    'identity',
    [DIR, 'name: a b'],
    'outputs[0].name:6: invalid name: "a b"; use only letters, digits, "-", "_" and "+"',
  ],
  [
    'identity',
    [DIR, 'delegation_session_id: d', 'roles: [a]'],
    'outputs[0].delegation_session_id:6: delegation sessions and explicit roles are mutually-exclusive',
  ],
  [
    'identity',
    [DIR, 'delegation_session_id: d', 'cluster: leaf'],
    'outputs[0].delegation_session_id:6: delegation sessions cannot be used with leaf clusters',
  ],
  [
    'identity',
    [DIR, 'credential_ttl: 1h'],
    'outputs[0]:5: credential_ttl and renewal_interval must both be specified if either is',
  ],
  [
    'identity',
    [DIR, 'renewal_interval: 1h'],
    'outputs[0]:5: credential_ttl and renewal_interval must both be specified if either is',
  ],
  [
    'identity',
    [DIR, 'credential_ttl: -1h', 'renewal_interval: 1m'],
    'outputs[0].credential_ttl:6: credential_ttl must be positive',
  ],
  [
    'identity',
    [DIR, 'credential_ttl: 1h', 'renewal_interval: -1m'],
    'outputs[0].renewal_interval:7: renewal_interval must be positive',
  ],
  [
    'identity',
    [DIR, 'credential_ttl: 169h', 'renewal_interval: 1h'],
    'outputs[0].credential_ttl:6: credential_ttl exceeds the maximum TTL of 7 days (168h)',
  ],
  [
    'identity',
    [DIR, 'credential_ttl: 90', 'renewal_interval: 1h'],
    'outputs[0].credential_ttl:6: cannot unmarshal !!int `90` into time.Duration; write 90m or 90s',
  ],
  ['application', [DIR], 'outputs[0].app_name:5: app_name must not be empty'],
  ['database', [DIR], 'outputs[0].service:5: service must not be empty'],
  [
    'database',
    [DIR, 'service: s', 'format: jks'],
    'outputs[0].format:7: unrecognized format (jks); expected one of tls, mongo, cockroach',
  ],
  [
    'database',
    [DIR, 'service: s', 'format: default'],
    'outputs[0].format:7: unrecognized format (default); expected one of tls, mongo, cockroach',
  ],
  ['kubernetes', [DIR], 'outputs[0].kubernetes_cluster:5: kubernetes_cluster must not be empty'],
  ['kubernetes/v2', [DIR], 'outputs[0].selectors:5: at least one selector must be provided'],
  [
    'kubernetes/v2',
    [DIR, 'selectors: [{}]'],
    "outputs[0].selectors[0]:6: selectors: one of 'name' and 'labels' must be specified",
  ],
  [
    'kubernetes/v2',
    [DIR, 'selectors: [{name: a, labels: {b: c}}]'],
    "outputs[0].selectors[0]:6: selectors: only one of 'name' and 'labels' may be specified",
  ],
  ['kubernetes/argo-cd', [], 'outputs[0].selectors:5: at least one selector must be provided'],
  [
    'kubernetes/argo-cd',
    ['selectors: [{name: a}]', 'cluster_resources: true'],
    'outputs[0].cluster_resources:6: cluster_resources is only applicable if namespaces is also set',
  ],
  ['ssh_host', [DIR], 'outputs[0].principals:5: at least one principal must be specified'],
  [
    'ssh_host',
    [DIR, 'principals: [a]', 'ca_type: host'],
    'outputs[0].ca_type:7: ca_type ("host") is unsupported; expected one of user, openssh',
  ],
  [
    'spiffe-svid',
    [DIR, 'svid: {path: /a}', 'jwts: [{audience: a, file_name: ../b}]'],
    'outputs[0].jwts[0].file_name:7: file_name: "../b" must be a file name without a folder, and different from the names of the other files',
  ],
  [
    'spiffe-svid',
    [DIR, 'svid: {path: /a}', 'jwts: [{audience: a, file_name: svid.pem}]'],
    'outputs[0].jwts[0].file_name:7: file_name: "svid.pem" must be a file name without a folder, and different from the names of the other files',
  ],
  [
    'spiffe-svid',
    [DIR, 'svid: {path: /a}', 'jwts: [{audience: a, file_name: f}, {audience: b, file_name: f}]'],
    'outputs[0].jwts:7: jwts: two have the file_name "f"',
  ],
  ['spiffe-svid', [DIR], 'outputs[0].svid.path:5: svid.path: should not be empty'],
  ['spiffe-svid', [DIR, 'svid: {path: web}'], 'outputs[0].svid.path:6: svid.path: should be prefixed with /'],
  [
    'spiffe-svid',
    [DIR, 'svid: {path: /a, sans: {ip: [x]}}'],
    'outputs[0].svid.sans.ip[0]:6: ip_sans[0]: invalid IP address "x"',
  ],
  [
    'spiffe-svid',
    [DIR, 'svid: {path: /a}', 'jwts: [{file_name: f}]'],
    'outputs[0].jwts[0].audience:7: audience: should not be empty',
  ],
  ['workload-identity-x509', [DIR], "outputs[0].selector:5: one of ['name', 'labels'] must be set"],
  [
    'workload-identity-x509',
    [DIR, 'selector: {name: a, labels: {b: [c]}}'],
    "outputs[0].selector:6: at most one of ['name', 'labels'] can be set",
  ],
  [
    'workload-identity-x509',
    [DIR, 'selector: {labels: {b: []}}'],
    'outputs[0].selector.labels.b:6: labels[b]: must have at least one value',
  ],
  [
    'workload-identity-jwt',
    [DIR, 'selector: {name: a}'],
    'outputs[0].audiences:5: audiences: must have at least one value',
  ],
  [
    'workload-identity-aws-roles-anywhere',
    [DIR, 'selector: {name: a}', 'profile_arn: p', 'trust_anchor_arn: t'],
    'outputs[0].role_arn:5: role_arn: must be set',
  ],
  [
    'workload-identity-aws-roles-anywhere',
    [DIR, 'selector: {name: a}', ...ARN_KEYS, 'session_duration: 13h'],
    'outputs[0].session_duration:10: session_duration: must be positive and less than or equal to 12 hours',
  ],
  [
    'workload-identity-aws-roles-anywhere',
    [DIR, 'selector: {name: a}', ...ARN_KEYS, 'session_duration: 1h'],
    'outputs[0].session_renewal_interval:5: session_renewal_interval: must be positive and less than session_duration',
  ],
  [
    'workload-identity-aws-roles-anywhere',
    [DIR, 'selector: {name: a}', ...ARN_KEYS, 'region: eu west/1'],
    'outputs[0].region:10: region: "eu west/1" is not an AWS region, such as eu-central-1',
  ],
  [
    'workload-identity-aws-roles-anywhere',
    [DIR, 'selector: {name: a}', ...ARN_KEYS.slice(0, 2), `trust_anchor_arn: '${ANCHOR_ELSEWHERE}'`],
    'outputs[0].profile_arn:8: profile_arn: its region "eu-west-1" is not "eu-west-2", the region of trust_anchor_arn',
  ],
  [
    'workload-identity-aws-roles-anywhere',
    [DIR, 'selector: {name: a}', ...ARN_KEYS.slice(0, 2), `trust_anchor_arn: '${ANCHOR_NOWHERE}'`],
    `outputs[0].trust_anchor_arn:9: trust_anchor_arn: "${ANCHOR_NOWHERE}" is not an ARN of the form arn:aws:rolesanywhere:…:trust-anchor/…`,
  ],
  ['database-tunnel', ['service: s', 'database: d', 'username: u'], 'outputs[0].listen:5: listen: should not be empty'],
  [
    'ssh-multiplexer',
    ['destination: {type: memory}'],
    'outputs[0].destination.type:5: destination: must be of type `directory`',
  ],
  [
    'identity',
    ['destination: {type: directory, path: file:///out}'],
    'outputs[0].destination.path:5: "file:///out" is a URI, expected a path; write "/out"',
  ],
  [
    'identity',
    ['destination: {type: directory, path: s3://bucket/out}'],
    'outputs[0].destination.path:5: "s3://bucket/out" is a URI, expected a path',
  ],
  ['identiy', [DIR], 'outputs[0].type:6: unrecognized output type (identiy); did you mean "identity"?'],
  ['unstable-client-credential', [DIR], 'outputs[0].type:6: unrecognized output type (unstable-client-credential)'],
];

test('missing and invalid keys of an output are reported with path and line', async () => {
  for (const [type, keys, expected] of REFUSED) {
    assert.deepEqual(await faultsOf(v2Item(type, keys)), [expected], `${type} ${keys.join(', ')}`);
  }
});

test('an item without a type, or that is not a mapping, is rejected', async () => {
  assert.deepEqual(await faultsOf(v2('outputs:\n- {}\n- identity\n-\n')), [
    'outputs[0].type:5: unrecognized output type (): "type" is missing; write "type: identity"',
    'outputs[1]:6: cannot unmarshal !!str `identity` into a mapping; write {type: identity, destination: {type: directory, path: DIR}}',
    'outputs[2]:7: cannot unmarshal !!null `` into a mapping; write {type: identity, destination: {type: directory, path: DIR}}',
  ]);
  assert.deepEqual(await faultsOf(v2('services: [{type: x}]')), ['services[0].type:4: unrecognized service type (x)']);
  assert.deepEqual(await faultsOf(v2('outputs: {type: identity}')), [
    'outputs:4: cannot unmarshal !!map into a list; write each item after "- "',
  ]);
});

test('the other destinations are read in full', async () => {
  const plan = await planOf(
    v2(`outputs:
- {type: identity, destination: {type: memory}}
- {type: identity, destination: {type: kubernetes_secret, name: s, namespace: n, labels: {a: 1}}}
- {type: identity, destination: {type: directory, path: d, symlinks: secure, acls: off, readers: [{user: 1000}, {group: g}]}}
`),
  );
  assert.deepEqual(
    plan.outputs.map((output) => ('destination' in output ? output.destination : undefined)),
    [
      { type: 'memory' },
      { type: 'kubernetes_secret', name: 's', namespace: 'n', labels: { a: '1' } },
      { type: 'directory', path: 'd', symlinks: 'secure', acls: 'off', readers: [{ user: '1000' }, { group: 'g' }] },
    ],
  );
});

/** With every key that only its type has. */
const SERVICES: readonly (readonly [type: Service['type'], keys: readonly string[]])[] = [
  [
    'spiffe-workload-api',
    [
      'listen: l',
      'svids: [{path: /a, rules: [{unix: {uid: 1}}]}]',
      'attestors: {kubernetes: {enabled: true}}',
      'jwt_svid_ttl: 5m',
    ],
  ],
  ['workload-identity-api', ['listen: l', 'selector: {name: n}', 'attestors: {unix: {enabled: true}}']],
  ['example', ['message: hello']],
];

for (const [type, keys] of SERVICES) {
  test(`a service of type ${type} is left out of a run with a warning`, async () => {
    const plan = await planOf(v2Item(type, keys));
    assert.deepEqual(plan.outputs, []);
    assert.deepEqual(plan.services, [{ ...PLACED, type }]);
    const ignored = `tbot.yaml line 5: outputs[0]: Service does not support oneshot mode, ignoring ${type}`;
    const fix = ': it needs a program that keeps running, which only tbot is';
    assert.deepEqual(plan.warnings, [type === 'example' ? ignored : `${ignored}${fix}`]);
  });
}

const LISTEN = { kind: 'tcp', host: '127.0.0.1', port: 5432 };

/** With every key that only its type has. */
const TUNNELS: readonly (readonly [type: Tunnel['type'], keys: readonly string[], values: object])[] = [
  [
    'database-tunnel',
    ['listen: tcp://127.0.0.1:5432', 'service: s', 'database: d', 'username: u'],
    { listen: LISTEN, service: 's', database: 'd', username: 'u' },
  ],
  [
    'application-tunnel',
    ['listen: unix:///run/a.sock', 'app_name: a'],
    { listen: { kind: 'unix', path: '/run/a.sock' }, appName: 'a' },
  ],
  [
    'ssh-multiplexer',
    [DIR, 'enable_resumption: true', 'proxy_templates_path: /t', 'proxy_command: [a, b]', 'relay_server: r'],
    {
      destination: { type: 'directory', path: '/out', symlinks: 'try-secure', acls: 'try', readers: [] },
      enableResumption: true,
      proxyTemplatesPath: '/t',
      proxyCommand: ['a', 'b'],
      relayServer: 'r',
    },
  ],
];

for (const [type, keys, values] of TUNNELS) {
  test(`a tunnel of type ${type} is left out of a run with advice, and is all that the command tunnel opens`, async () => {
    const text = v2Item(type, keys);
    const ofRun = await planOf(text);
    assert.deepEqual([ofRun.outputs, ofRun.services], [[], []]);
    assert.deepEqual(ofRun.warnings, [
      `tbot.yaml line 5: outputs[0]: a run opens no ${type}: start it in a step with "machine-id tunnel" (the orb command tunnel), which reads the same file`,
    ]);
    const ofTunnel = await planOf(text, { tunnelFlags: {} });
    assert.deepEqual(ofTunnel.tunnels, ofRun.tunnels);
    assert.deepEqual(ofTunnel.tunnels, [
      { ...PLACED, ...values, ttlMs: 3_600_000, renewalIntervalMs: 1_200_000, type },
    ]);
    assert.deepEqual(ofTunnel.warnings, []);
  });
}
