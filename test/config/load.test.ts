import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Plan } from '../../src/config/plan.ts';
import type { SettingValues } from '../../src/config/settings.ts';
import { errorOf, faultsOf, planOf, v2, v2Item } from './plan-of.ts';

const MINUTE_MS = 60_000;
const PIN = `sha256:${'ab'.repeat(32)}`;

/** What Teleport's guide for CircleCI says to put into tbot.yaml, in the words of its two eras. */
function guide(addressKey: string, listKey: string): string {
  return `version: v2
${addressKey}: teleport.example.com:443
onboarding:
  join_method: circleci
  token: example-bot
oneshot: true
storage:
  type: memory
${listKey}: []
`;
}

for (const [addressKey, kind] of [
  ['auth_server', 'auth'],
  ['proxy_server', 'proxy'],
] as const) {
  for (const listKey of ['outputs', 'services']) {
    test(`the file of Teleport's CircleCI guide works unchanged, with ${addressKey} and ${listKey}`, async () => {
      assert.deepEqual(await planOf(guide(addressKey, listKey)), {
        address: {
          kind,
          value: 'teleport.example.com:443',
          host: 'teleport.example.com',
          port: 443,
          origin: 'tbot.yaml line 2',
        },
        useProxyAddr: false,
        token: 'example-bot',
        tokenRequest: { joinMethod: 'circleci' },
        scopeRequests: [],
        insecure: false,
        outputs: [],
        tunnels: [],
        services: [],
        certificateTtlMs: 60 * MINUTE_MS,
        renewalIntervalMs: 20 * MINUTE_MS,
        heartbeat: true,
        debug: false,
        logFormat: 'text',
        settings: { token: 'example-bot', joinMethod: 'circleci', storage: { type: 'memory' }, oneshot: true },
        warnings: [],
      });
    });
  }
}

/** What the file of `v2` has besides. */
function withSettings(settings: SettingValues): Partial<Plan> {
  return { settings: { token: 'my-token', ...settings } };
}

const KEYS: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['debug: yes', { debug: true }],
  ['debug: ~', { debug: false }],
  ['insecure: true', { insecure: true }],
  ['oneshot: on', withSettings({ oneshot: true })],
  ['oneshot: "off"', withSettings({ oneshot: false })],
  ['diag_addr: 127.0.0.1:3001', withSettings({ diagAddr: '127.0.0.1:3001' })],
  ['certificate_ttl: 30m', { certificateTtlMs: 30 * MINUTE_MS }],
  ['credential_ttl: 1h30m', { certificateTtlMs: 90 * MINUTE_MS }],
  ['credential_ttl: 0s', { certificateTtlMs: 60 * MINUTE_MS }],
  ['credential_ttl: "0"', { certificateTtlMs: 60 * MINUTE_MS }],
  ['credential_ttl:', { certificateTtlMs: 60 * MINUTE_MS }],
  ['credential_ttl: 2h\ncertificate_ttl: 2h', { certificateTtlMs: 120 * MINUTE_MS }],
  ['renewal_interval: 5m', { renewalIntervalMs: 5 * MINUTE_MS }],
  ['leeway: 10s', withSettings({ leeway: 10_000 })],
  ['', withSettings({})],
  [
    'storage: {type: directory, path: s, acls: off}',
    withSettings({
      storage: { type: 'directory', path: 's', symlinks: 'try-secure', acls: 'off', readers: [] },
    }),
  ],
  ['outputs:', { outputs: [] }],
];

test('every key at the top of a file is read, or has its default', async () => {
  for (const [line, expected] of KEYS) {
    const plan = await planOf(v2(`${line}\n`));
    assert.deepEqual({ ...plan, ...expected }, plan, line);
    assert.deepEqual(plan.warnings, [], line);
  }
});

const ONBOARDING: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['token: 123', { token: '123' }],
  ['token: t\n  join_method: circleci', { tokenRequest: { joinMethod: 'circleci' } }],
  [
    `token: t\n  ca_pins: ["${PIN.toUpperCase().replace('SHA256', 'sha256')}"]`,
    { settings: { token: 't', caPins: [PIN] } },
  ],
  ['token: t\n  ca_path: /ca.pem', { settings: { token: 't', caPath: '/ca.pem' } }],
  ['token: t\n  gitlab: {token_env_var_name: X}', { tokenRequest: { joinMethod: 'circleci' } }],
];

test('every key of onboarding is read', async () => {
  for (const [keys, expected] of ONBOARDING) {
    const plan = await planOf(`version: v2\nproxy_server: p:1\nonboarding:\n  ${keys}\n`);
    assert.deepEqual({ ...plan, ...expected }, plan, keys);
    assert.deepEqual(plan.warnings, [], keys);
  }
});

const BAD_KEYS: readonly (readonly [string, readonly string[]])[] = [
  ['debug: maybe', ['debug:4: cannot unmarshal !!str `maybe` into bool; write true or false']],
  [
    'credential_ttl: 3600',
    ['credential_ttl:4: cannot unmarshal !!int `3600` into time.Duration; write 3600m or 3600s'],
  ],
  ['certificate_ttl: -1h', ['certificate_ttl:4: must be positive']],
  ['renewal_interval: -1h', ['renewal_interval:4: must be positive']],
  ['auth_server: [a]', ['auth_server:4: cannot unmarshal !!seq into string']],
  ['storage: {type: directory}', ['storage.path:4: destination path must not be empty']],
  [
    'storage: {}',
    ['storage.type:4: unrecognized destination type (): "type" is missing; write "type: directory" and "path: DIR"'],
  ],
  ['storage: memory', ['storage:4: cannot unmarshal !!str `memory` into a mapping; write {type: memory}']],
  [
    'auth_server: a:1',
    ["auth_server:4: is set in addition to proxy_server (tbot.yaml line 2); keep only the Proxy's address"],
  ],
  ['proxy_server: other:1', ['proxy_server:4: mapping key "proxy_server" already defined at line 2']],
  ['join_uri: tbot+proxy://x', ['join_uri:4: must have the form tbot+proxy+circleci://<token>@<host>:<port>']],
  [
    'outputs:\n- {type: identity, name: a, destination: {type: memory}}\n- {type: identity, name: a, destination: {type: memory}}',
    ['outputs[1]:6: duplicate name: "a"'],
  ],
];

test('an invalid value of a key is reported with path and line', async () => {
  for (const [text, expected] of BAD_KEYS) assert.deepEqual(await faultsOf(v2(`${text}\n`)), expected, text);
});

const BAD_ONBOARDING: readonly (readonly [string, string])[] = [
  [
    'join_method: github',
    'onboarding.join_method:5: join method "github" is not for a CircleCI job; use circleci or generic_oidc',
  ],
  ['join_method: ec2', 'onboarding.join_method:5: unrecognized join method: "ec2"'],
  [
    'join_method: circle-ci',
    'onboarding.join_method:5: unrecognized join method: "circle-ci"; did you mean "circleci"?',
  ],
  [
    'ca_pins: [sha256:12]',
    'onboarding.ca_pins[0]:5: "sha256:12" is not a CA pin; it must be "sha256:" and 64 hexadecimal digits, as "tctl status" shows it',
  ],
  [
    `ca_pins: ${PIN}`,
    `onboarding.ca_pins:5: cannot unmarshal !!str \`${PIN.slice(0, 37)}...\` into a list; write each item after "- "`,
  ],
  [
    `ca_pins: ["${PIN}"]\n  ca_path: /ca.pem`,
    'onboarding.ca_path:6: the options ca-pin and ca-path are mutually exclusive',
  ],
];

test('an invalid value below onboarding is reported with path and line', async () => {
  for (const [keys, expected] of BAD_ONBOARDING) {
    const text = `version: v2\nproxy_server: p:1\nonboarding:\n  token: t\n  ${keys}\n`;
    assert.deepEqual(await faultsOf(text), [expected], keys);
  }
});

test('insecure excludes pins and a CA file, each with its own problem', async () => {
  const text = `version: v2\nproxy_server: p:1\ninsecure: true\nonboarding:\n  token: t\n  ca_path: /ca\n  ca_pins: ["${PIN}"]\n`;
  assert.deepEqual(await faultsOf(text), [
    'onboarding.ca_path:6: the option ca-path is mutually exclusive with --insecure',
    'onboarding.ca_path:6: the options ca-pin and ca-path are mutually exclusive',
    'onboarding.ca_pins:7: the option ca-pin is mutually exclusive with --insecure',
  ]);
});

test('two outputs in one directory are refused, however the path is written', async () => {
  const text = v2(`storage: {type: directory, path: ./c}
outputs:
- {type: identity, destination: {type: directory, path: out/a}}
- {type: identity, destination: {type: directory, path: ./out//a/}}
- {type: identity, destination: {type: directory, path: c}}
- {type: identity, destination: {type: memory}}
- {type: identity, destination: {type: memory}}
`);
  assert.deepEqual(await faultsOf(text), [
    'outputs[1]:7: has the same destination (/checkout/out/a) as outputs[0]; each needs its own',
    'outputs[2]:8: has the same destination (/checkout/c) as storage; each needs its own',
  ]);
});

test('a relative and an absolute path to one directory are one destination', async () => {
  const text = v2(`outputs:
- {type: identity, destination: {type: directory, path: out}}
- {type: identity, destination: {type: directory, path: /checkout/other/../out}}
`);
  assert.deepEqual(await faultsOf(text), [
    'outputs[1]:6: has the same destination (/checkout/out) as outputs[0]; each needs its own',
  ]);
});

test('a tunnel that is left out of the run takes no destination', async () => {
  const multiplexer = '- {type: ssh-multiplexer, destination: {type: directory, path: out}}';
  const plan = await planOf(
    v2(`storage: {type: directory, path: out}
services:
${multiplexer}
${multiplexer}
outputs:
- {type: identity, destination: {type: memory}}
`),
  );
  assert.deepEqual([plan.outputs.length, plan.tunnels.length], [1, 2]);
});

test('problems of file, environment and flags come in one error, with every line', async () => {
  const error = await errorOf(
    `version: v2
onboarding:
  ca_pins: pin
outputs:
- type: identity
  destination: {type: directory}
- type: database
  destination: {type: directory, path: /db}
`,
    { flags: { certificateTtl: '1d' }, environment: { TBOT_DEBUG: 'si' } },
  );
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.equal(error.exitCode, 2);
  assert.equal(
    error.message,
    `the configuration has 6 problems:
  tbot.yaml line 3: onboarding.ca_pins: cannot unmarshal !!str \`pin\` into a list; write each item after "- "
  tbot.yaml line 6: outputs[0].destination.path: destination path must not be empty
  tbot.yaml line 7: outputs[1].service: service must not be empty
  --certificate-ttl: "1d" is not a duration; write 24h, because there is no unit for days
  TBOT_DEBUG: "si" is neither true nor false
  tbot.yaml: proxy_server: either a proxy or auth address must be set using --proxy, --auth-server or configuration; give --proxy-server HOST:PORT`,
  );
});

test('a section that could not be read is not said to be missing on top', async () => {
  assert.deepEqual(await faultsOf('version: v2\nproxy_server: [p]\nonboarding: {token: [t]}\n'), [
    'proxy_server:2: cannot unmarshal !!seq into string',
    'onboarding.token:3: cannot unmarshal !!seq into string',
  ]);
  const unreadable = await errorOf('version: v2\nonboarding: [\n');
  assert.deepEqual(new Set(unreadable.problems.map(({ path }) => path)), new Set(['document']));
});

test('everything that is missing is reported at once', async () => {
  const paths = (await errorOf(undefined)).problems.map(({ path }) => path);
  assert.deepEqual(paths, ['--proxy-server', '--token', '--destination']);
  const inFile = (await errorOf('version: v2\n')).problems.map(({ path }) => path);
  assert.deepEqual(inFile, ['proxy_server', 'onboarding.token']);
});

test('unknown keys at every level are warned about with line and nearest key, and do not stop the run', async () => {
  const plan = await planOf(`version: v2
proxy_server: p:1
anchors: &dir {type: directory, path: /out, symlink: secure}
onboarding:
  token: t
  jon_method: circleci
storage:
  type: memory
  pth: x
outputs:
- type: identity
  rols: [a]
  destination: *dir
- type: kubernetes/v2
  destination: {type: memory}
  selectors: [{name: a, default_namspace: b}]
`);
  assert.deepEqual(plan.warnings, [
    'tbot.yaml line 3: anchors: unknown key "anchors" is ignored',
    'tbot.yaml line 6: onboarding.jon_method: unknown key "jon_method" is ignored; did you mean "join_method"?',
    'tbot.yaml line 9: storage.pth: unknown key "pth" is ignored',
    'tbot.yaml line 12: outputs[0].rols: unknown key "rols" is ignored; did you mean "roles"?',
    'tbot.yaml line 3: outputs[0].destination.symlink: unknown key "symlink" is ignored; did you mean "symlinks"?',
    'tbot.yaml line 16: outputs[1].selectors[0].default_namspace: unknown key "default_namspace" is ignored; did you mean "default_namespace"?',
  ]);
  assert.equal(plan.outputs.length, 2);
});

test('a mistyped key is shown beside the problem that it causes', async () => {
  const { message } = await errorOf('version: v2\nproxy_servr: p:1\nonboarding: {token: t}\n');
  assert.match(message, /either a proxy or auth address must be set/);
  assert.match(message, /also noticed:\n {2}tbot\.yaml line 2: proxy_servr: .*did you mean "proxy_server"\?/);
});

test('a message shows at most 25 problems, the error has them all', async () => {
  const error = await errorOf(v2(`outputs:\n${'- {type: x}\n'.repeat(40)}`));
  assert.equal(error.problems.length, 40);
  assert.equal(error.message.split('\n').length, 27);
  assert.match(error.message, /has 40 problems:\n.*\n {2}and 15 more$/s);
});

test('an unknown key does not hide the other problems of its section', async () => {
  const text = v2Item('identity', ['destination: {type: memory}', 'rols: [a]', 'credential_ttl: 1h']);
  assert.deepEqual(await faultsOf(text), [
    'outputs[0]:5: credential_ttl and renewal_interval must both be specified if either is',
  ]);
});

test('credential_ttl wins over certificate_ttl, with a warning when they differ', async () => {
  const plan = await planOf(v2('certificate_ttl: 2h\ncredential_ttl: 1h\n'));
  assert.equal(plan.certificateTtlMs, 60 * MINUTE_MS);
  assert.deepEqual(plan.warnings, ['credential_ttl (tbot.yaml line 5) replaces certificate_ttl (tbot.yaml line 4)']);
});

test('a lifetime that no cluster grants, and fips, are warned about', async () => {
  const plan = await planOf(v2('credential_ttl: 169h\nfips: true\n'));
  assert.equal(plan.settings.fips, true);
  assert.match(plan.warnings[0] ?? '', /^credential_ttl \(tbot\.yaml line 4\) exceeds the maximum TTL of 7 days/);
  assert.match(plan.warnings[1] ?? '', /^fips \(tbot\.yaml line 5\) is on, but/);
});

test('outputs and services are one list, in which names and destinations are unique', async () => {
  const plan = await planOf(
    v2(`services:
- {type: identity, name: b, destination: {type: directory, path: b}}
outputs:
- {type: identity, name: a, destination: {type: directory, path: a}}
`),
  );
  assert.deepEqual(
    plan.outputs.map(({ name, path, line }) => [name, path, line]),
    [
      ['a', 'outputs[0]', 7],
      ['b', 'services[0]', 5],
    ],
  );
  const faults = await faultsOf(
    v2(`services: [{type: identity, name: a, destination: {type: directory, path: a}}]
outputs: [{type: identity, name: a, destination: {type: directory, path: a}}]
`),
  );
  assert.deepEqual(faults, [
    'services[0]:4: duplicate name: "a"',
    'services[0]:4: has the same destination (/checkout/a) as outputs[0]; each needs its own',
  ]);
});

test('join_uri wins over the other keys of its file', async () => {
  const plan = await planOf(v2('join_uri: tbot+proxy+circleci://uri%2Dtoken@uri.example.com:443\n'));
  assert.equal(plan.address.value, 'uri.example.com:443');
  assert.equal(plan.address.origin, 'tbot.yaml line 4');
  assert.equal(plan.token, 'uri-token');
  assert.deepEqual(plan.warnings, [
    'join_uri (tbot.yaml line 4) replaces onboarding.token (tbot.yaml line 3)',
    'join_uri (tbot.yaml line 4) replaces proxy_server (tbot.yaml line 2)',
  ]);
  assert.deepEqual(await faultsOf('version: v2\njoin_uri: tbot+proxy+bound-keypair://t:s3cret@h:1\n'), [
    'join_uri:2: join method "bound_keypair" is not for a CircleCI job; use circleci or generic_oidc',
  ]);
});

test('an unknown version is refused, and a version may be quoted', async () => {
  assert.deepEqual(await faultsOf('version: v3\n'), [
    'version:1: unrecognized config version "v3"; tbot has v1 and v2: write "version: v2"',
  ]);
  assert.deepEqual(await faultsOf('version: [v2]\n'), ['version:1: cannot unmarshal !!seq into string']);
  assert.equal((await planOf(v2('').replace('v2', '"v2"'))).token, 'my-token');
});

test('a configuration file that cannot be read is reported with the setting that named it', async () => {
  const error = await errorOf(undefined, { flags: { config: 'missing.yaml' } });
  assert.equal(error.code, 'CONFIG_UNREADABLE');
  assert.equal(error.message, 'failed to open file: missing.yaml, named by --config: no such file');
  assert.match(error.hint, /checkout/);
  const fromEnvironment = await errorOf(undefined, { environment: { TBOT_CONFIG_PATH: '/missing' } });
  assert.match(fromEnvironment.message, /named by TBOT_CONFIG_PATH/);
});

test('a token that is an absolute path is read from that file', async () => {
  const files = { '/run/token': ' from-file\n', '/run/empty': '\n' };
  const plan = await planOf(v2('').replace('my-token', '/run/token'), { files });
  assert.equal(plan.token, 'from-file');
  assert.match(
    (await faultsOf(v2('').replace('my-token', '/run/none'), { files })).join(),
    /^onboarding\.token:3: .*no such file$/,
  );
  assert.deepEqual(await faultsOf(v2('').replace('my-token', '/run/empty'), { files }), [
    'onboarding.token:3: the token file /run/empty is empty',
  ]);
});
