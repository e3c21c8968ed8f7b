import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import type { RunFlags } from '../../src/config/settings.ts';
import { faultsOf, planOf, v2 } from './plan-of.ts';

const FILE = v2('outputs:\n- {type: identity, destination: {type: directory, path: from-file}}\n');
const ENVIRONMENT = { TELEPORT_PROXY: 'env.example.com:1', TELEPORT_BOT_TOKEN: 'env-token' };
const FLAGS = { proxyServer: 'flag.example.com:2', token: 'flag-token' };

test('credentials for as long as a job may take can be requested outside the file', async () => {
  const plan = await planOf(FILE, { flags: { credentialTtl: 'job' } });
  assert.equal(plan.certificateTtlMs, 5 * 60 * 60 * 1000);
  const file = FILE.replace(/^version.*$/m, '$&\ncredential_ttl: job');
  assert.match((await faultsOf(file)).join('\n'), /credential_ttl.*"?job"?.*duration/i);
});

test('a flag overrides a variable, a variable overrides the file, and each override is reported', async () => {
  const file = await planOf(FILE);
  assert.deepEqual([file.address.value, file.token], ['proxy.example.com:443', 'my-token']);

  const environment = await planOf(FILE, { environment: ENVIRONMENT });
  assert.deepEqual([environment.address.value, environment.token], ['env.example.com:1', 'env-token']);
  assert.equal(environment.address.origin, 'TELEPORT_PROXY');
  assert.deepEqual(environment.warnings, [
    'TELEPORT_BOT_TOKEN replaces onboarding.token (tbot.yaml line 3)',
    'TELEPORT_PROXY replaces proxy_server (tbot.yaml line 2)',
  ]);

  const flags = await planOf(FILE, { environment: ENVIRONMENT, flags: FLAGS });
  assert.deepEqual([flags.address.value, flags.token], ['flag.example.com:2', 'flag-token']);
  assert.deepEqual(flags.warnings, [
    '--token replaces TELEPORT_BOT_TOKEN',
    '--token replaces onboarding.token (tbot.yaml line 3)',
    '--proxy-server replaces TELEPORT_PROXY',
    '--proxy-server replaces proxy_server (tbot.yaml line 2)',
  ]);
});

test('a token from outside replaces the token alone, and keeps the rest of onboarding', async () => {
  const text = 'version: v2\nproxy_server: p:1\nonboarding: {token: a, join_method: circleci, ca_path: /ca.pem}\n';
  const plan = await planOf(text, { environment: { TELEPORT_BOT_TOKEN: 'b' } });
  assert.deepEqual([plan.token, plan.settings.caPath], ['b', '/ca.pem']);
  assert.deepEqual(plan.warnings, ['TELEPORT_BOT_TOKEN replaces onboarding.token (tbot.yaml line 3)']);
});

test('a repeated equal value is not reported as a replacement', async () => {
  const plan = await planOf(FILE, { flags: { token: 'my-token', proxyServer: 'proxy.example.com:443' } });
  assert.deepEqual(plan.warnings, []);
});

test('addresses that an earlier run of the same job exported do not redirect the next one', async () => {
  const exported = { TELEPORT_PROXY: 'first.example.com:1', TELEPORT_AUTH_SERVER: 'first.example.com:1' };
  for (const mark of ['MACHINE_ID_DESTINATION', 'MACHINE_ID_EXPIRES_AT']) {
    const environment = { ...exported, [mark]: 'x' };
    const withFile = await planOf(FILE, { environment });
    assert.equal(withFile.address.value, 'proxy.example.com:443');
    assert.deepEqual(withFile.warnings, []);

    const flags = { token: 't', destination: 'out' };
    const withFlag = await planOf(undefined, { environment, flags: { ...flags, proxyServer: 'flag:2' } });
    assert.equal(withFlag.address.value, 'flag:2');
    const withNeither = await planOf(undefined, { environment, flags });
    assert.equal(withNeither.address.value, 'first.example.com:1');
    assert.equal(withNeither.address.origin, 'TELEPORT_PROXY');
  }
});

test('a Proxy address given outside wins over an auth_server of the file, without a clash', async () => {
  const text = 'version: v2\nauth_server: auth.example.com:3025\nonboarding: {token: t}\n';
  const plan = await planOf(text, { flags: { proxyServer: 'p.example.com:443' } });
  assert.deepEqual([plan.address.kind, plan.address.value], ['proxy', 'p.example.com:443']);
  assert.deepEqual(plan.warnings, ['--proxy-server replaces auth_server (tbot.yaml line 2)']);
});

test('both addresses on one command line clash, both in the environment mean the Proxy', async () => {
  assert.deepEqual(await faultsOf(FILE, { flags: { proxyServer: 'a:1', authServer: 'b:2' } }), [
    "--auth-server: is set in addition to --proxy-server; keep only the Proxy's address",
  ]);
  const environment = { TELEPORT_AUTH_SERVER: 'a:1', TELEPORT_PROXY: 'p:2' };
  assert.equal((await planOf(FILE, { environment })).address.value, 'p:2');
});

test('--destination replaces the outputs of the file by one identity output, and says so', async () => {
  const plan = await planOf(FILE, { flags: { destination: 'out' } });
  assert.deepEqual(plan.outputs, [
    {
      type: 'identity',
      name: undefined,
      roles: [],
      lifetime: undefined,
      destination: { type: 'directory', path: 'out', symlinks: 'try-secure', acls: 'try', readers: [] },
      cluster: undefined,
      sshConfig: true,
      allowReissue: false,
      delegationSessionId: undefined,
      path: '--destination',
      line: undefined,
      ttlMs: 3_600_000,
      renewalIntervalMs: 1_200_000,
    },
  ]);
  assert.deepEqual(plan.warnings, ['--destination replaces outputs (tbot.yaml line 4)']);
  assert.deepEqual((await planOf(v2('outputs: []\n'), { flags: { destination: 'out' } })).warnings, []);
});

test('flags are enough without a file', async () => {
  const flags = {
    proxyServer: 'p.example.com',
    token: 't',
    destination: 'file:///out',
    storage: 'memory:',
    joinMethod: 'circleci',
    certificateTtl: '30m',
    renewalInterval: '10m',
    caPins: [`sha256:${'AB'.repeat(32)}`],
    diagAddr: '127.0.0.1:1',
    logFormat: 'json',
    debug: true,
    fips: false,
    oneshot: true,
    insecure: false,
  };
  const plan = await planOf(undefined, { flags });
  assert.equal(plan.address.value, 'p.example.com:443');
  assert.deepEqual(plan.settings.storage, { type: 'memory' });
  assert.equal(plan.outputs[0]?.ttlMs, 1_800_000);
  assert.equal(plan.renewalIntervalMs, 600_000);
  assert.deepEqual(plan.settings.caPins, [`sha256:${'ab'.repeat(32)}`]);
  const { diagAddr, fips, oneshot } = plan.settings;
  assert.deepEqual([diagAddr, fips, oneshot], ['127.0.0.1:1', false, true]);
  assert.deepEqual([plan.logFormat, plan.debug], ['json', true]);
  assert.deepEqual(plan.warnings, ['--proxy-server has no port; using p.example.com:443']);
});

test('an empty flag or variable is as good as none', async () => {
  const flags = { config: '', configString: '', proxyServer: '', token: '', destination: '', storage: '', caPath: '' };
  const empty = {
    ...flags,
    certificateTtl: '',
    logFormat: '',
    caPins: [''],
    joinUri: '',
    diagAddr: '',
    joinMethod: '',
  };
  const environment = { TELEPORT_PROXY: '', TELEPORT_BOT_TOKEN: '', TBOT_DEBUG: '', TBOT_CONFIG_PATH: '' };
  assert.equal((await planOf(FILE, { flags: { ...empty, config: 'tbot.yaml' }, environment })).token, 'my-token');
  assert.equal((await faultsOf(undefined, { flags: empty, environment })).length, 3);
});

const BAD_FLAGS: readonly (readonly [RunFlags, string])[] = [
  [{ certificateTtl: '1d' }, '--certificate-ttl: "1d" is not a duration; write 24h, because there is no unit for days'],
  [{ credentialTtl: '-1h' }, '--credential-ttl: must be positive'],
  [
    { renewalInterval: 'x' },
    '--renewal-interval: "x" is not a duration; write a number with its unit, such as 90s, 30m or 1h30m',
  ],
  [{ logFormat: 'xml' }, '--log-format: "xml" is not a log format; expected one of text, json'],
  [
    { joinMethod: 'token' },
    '--join-method: join method "token" is not for a CircleCI job; use circleci or generic_oidc',
  ],
  [
    { caPins: ['x'] },
    '--ca-pin: "x" is not a CA pin; it must be "sha256:" and 64 hexadecimal digits, as "tctl status" shows it',
  ],
  [{ insecure: true, caPath: '/ca' }, '--ca-path: the option ca-path is mutually exclusive with --insecure'],
  [{ proxyServer: 'https://p' }, '--proxy-server: "https://p" must be host:port without a scheme; write p:443'],
  [
    { storage: 's3://b' },
    '--storage: unrecognized data storage scheme; give a directory, file:, memory: or kubernetes-secret:',
  ],
  [{ destination: 'file://host/x' }, '--destination: file-backed data storage must be on the local host'],
  [{ storage: 'memory://x' }, '--storage: memory-backed data storage should not have host or path specified'],
  [{ joinUri: 'https://x' }, '--join-uri: must have the form tbot+proxy+circleci://<token>@<host>:<port>'],
  [{ configString: 'dmVyc2lvbg==' }, '--config-string: cannot be combined with --config'],
];

test('an error in a flag names the flag', async () => {
  for (const [flags, expected] of BAD_FLAGS) assert.deepEqual(await faultsOf(FILE, { flags }), [expected]);
});

test('a destination that is refused is not said to be missing on top', async () => {
  const flags = { proxyServer: 'p:1', token: 't', destination: 's3://bucket' };
  assert.equal((await faultsOf(undefined, { flags })).length, 1);
});

test('a whole file can come in base64, by flag or variable', async () => {
  const encoded = Buffer.from(FILE).toString('base64');
  const byFlag = await planOf(undefined, { flags: { configString: encoded } });
  assert.equal(byFlag.address.origin, '--config-string line 2');
  const wrapped = encoded.replace(/.{20}/g, '$&\n');
  const byVariable = await planOf(undefined, { environment: { TBOT_CONFIG: wrapped } });
  assert.equal(byVariable.address.origin, 'TBOT_CONFIG line 2');
  assert.deepEqual(await faultsOf(undefined, { environment: { TBOT_CONFIG: 'version: v2' } }), [
    'TBOT_CONFIG: must be the text of a configuration file in base64',
  ]);
});

test('TBOT_CONFIG_PATH names the file unless --config does', async () => {
  const files = { 'other.yaml': FILE.replace('my-token', 'other') };
  const environment = { TBOT_CONFIG_PATH: 'other.yaml' };
  assert.equal((await planOf(undefined, { environment, files })).token, 'other');
  assert.equal((await planOf(FILE, { environment, files })).token, 'my-token');
});

test('TBOT_DEBUG takes the words of Go, and a flag wins over it', async () => {
  for (const [word, debug] of [
    ['1', true],
    ['T', true],
    ['FALSE', false],
    ['0', false],
  ] as const) {
    assert.equal((await planOf(FILE, { environment: { TBOT_DEBUG: word } })).debug, debug, word);
  }
  const environment = { TBOT_DEBUG: 'true' };
  assert.equal((await planOf(FILE, { environment, flags: { debug: false } })).debug, false);
});

test('TELEPORT_TUNNEL_PUBLIC_ADDR is read, and an unusable one does not fail the run', async () => {
  const given = async (value: string) => planOf(FILE, { environment: { TELEPORT_TUNNEL_PUBLIC_ADDR: value } });
  assert.equal((await given('tunnel.example.com:4024')).settings.tunnelPublicAddr, 'tunnel.example.com:4024');
  const { settings, warnings } = await given('https://tunnel.example.com');
  assert.equal(settings.tunnelPublicAddr, undefined);
  assert.match(
    warnings.join(),
    /^TELEPORT_TUNNEL_PUBLIC_ADDR is "https:\/\/tunnel\.example\.com", which is not host:port/,
  );
});

test('TBOT_USE_PROXY_ADDR needs the word yes, and a Proxy address', async () => {
  assert.equal((await planOf(FILE, { environment: { TBOT_USE_PROXY_ADDR: 'yes' } })).useProxyAddr, true);
  const plan = await planOf(FILE, { environment: { TBOT_USE_PROXY_ADDR: 'true' } });
  assert.equal(plan.useProxyAddr, false);
  assert.deepEqual(plan.warnings, ['TBOT_USE_PROXY_ADDR is "true", which has no effect; only "yes" turns it on']);
  const text = FILE.replace('proxy_server', 'auth_server');
  assert.deepEqual(await faultsOf(text, { environment: { TBOT_USE_PROXY_ADDR: 'yes' } }), [
    'TBOT_USE_PROXY_ADDR: TBOT_USE_PROXY_ADDR requires that a proxy address is set using --proxy-server or proxy_server',
  ]);
});

test('two names of the lifetime on one command line are one setting', async () => {
  const plan = await planOf(FILE, { flags: { certificateTtl: '2h', credentialTtl: '1h' } });
  assert.equal(plan.certificateTtlMs, 3_600_000);
  assert.deepEqual(plan.warnings, ['--credential-ttl replaces --certificate-ttl']);
});
