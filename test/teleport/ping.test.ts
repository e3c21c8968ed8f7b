import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { compareVersions, parsePing, parseServerVersion } from '../../src/teleport/ping.ts';

const ASKED = { host: 'asked.example.com', port: 3080 };

function ping(change: object = {}): string {
  return JSON.stringify({
    cluster_name: 'example.com',
    server_version: '18.2.4',
    auth: { signature_algorithm_suite: 2 },
    proxy: {
      tls_routing_enabled: true,
      kube: { enabled: true, public_addr: 'kube.example.com', listen_addr: '0.0.0.0:3026' },
      ssh: { listen_addr: '[::]:3023', web_listen_addr: '0.0.0.0:3080', public_addr: 'proxy.example.com:443' },
    },
    ...change,
  });
}

test('a current Proxy reports cluster, version, addresses and suite', () => {
  assert.deepEqual(parsePing(ping(), ASKED), {
    clusterName: 'example.com',
    serverVersion: { major: 18, text: '18.2.4' },
    minClientVersion: undefined,
    tlsRouting: true,
    webAddress: { host: 'proxy.example.com', port: 443 },
    sshAddress: { host: 'proxy.example.com', port: 443 },
    kube: { publicAddress: { host: 'kube.example.com', port: 3026 }, port: 3026 },
    tunnelAddress: { host: 'proxy.example.com', port: 443 },
    databases: new Map(),
    proxyHost: 'proxy.example.com',
    suite: 'balanced-v1',
    release: { toolsVersion: '18.2.4', enterprise: false, fips: false },
  });
});

const BUILDS: readonly (readonly [what: string, answer: object, release: object])[] = [
  ['an enterprise build', { edition: 'ent' }, { enterprise: true }],
  ['a FIPS build', { edition: 'ent', fips: true }, { enterprise: true, fips: true }],
  ['a community build', { edition: 'community' }, {}],
  ['an open-source build', { edition: 'oss' }, {}],
  [
    'another version for clients',
    { auto_update: { tools_version: '18.1.0', tools_auto_update: true } },
    { toolsVersion: '18.1.0' },
  ],
  [
    'a version for clients that are not updated',
    { auto_update: { tools_version: '18.1.0', tools_auto_update: false } },
    {},
  ],
  ['updates without a version', { auto_update: { tools_auto_update: true } }, {}],
  ['updates to what is no version', { auto_update: { tools_version: 'newest', tools_auto_update: true } }, {}],
];

for (const [what, answer, release] of BUILDS) {
  test(`a Proxy reports which programs fit it: ${what}`, () => {
    const usual = { toolsVersion: '18.2.4', enterprise: false, fips: false };
    assert.deepEqual(parsePing(ping(answer), ASKED).release, { ...usual, ...release });
  });
}

test('a Proxy of version 15 reports no suite, which means legacy', () => {
  const facts = parsePing(ping({ server_version: '15.3.7', auth: { type: 'local' } }), ASKED);
  assert.equal(facts.suite, 'legacy');
  assert.equal(facts.serverVersion.major, 15);
});

test('a Proxy that advertises no address is known by the one that was asked', () => {
  const facts = parsePing(ping({ proxy: { tls_routing_enabled: true } }), ASKED);
  assert.deepEqual(facts.webAddress, ASKED);
});

test('a public address without a port takes the port of the web listener', () => {
  const proxy = { tls_routing_enabled: true, ssh: { web_listen_addr: '0.0.0.0:3080', public_addr: 'p.example.com' } };
  assert.deepEqual(parsePing(ping({ proxy }), ASKED).webAddress, { host: 'p.example.com', port: 3080 });
});

const WITHOUT_TLS_ROUTING: [string, object, string, number][] = [
  [
    'its own public address',
    { ssh_public_addr: 'ssh.example.com:4023', listen_addr: '0.0.0.0:3023' },
    'ssh.example.com',
    4023,
  ],
  ['the web address with the listener’s port', { listen_addr: '0.0.0.0:5023' }, 'proxy.example.com', 5023],
  ['the web address with the default port', {}, 'proxy.example.com', 3023],
];

for (const [name, ssh, host, port] of WITHOUT_TLS_ROUTING) {
  test(`without TLS routing SSH is reached at ${name}`, () => {
    const proxy = { tls_routing_enabled: false, ssh: { public_addr: 'proxy.example.com:443', ...ssh } };
    assert.deepEqual(parsePing(ping({ proxy }), ASKED).sshAddress, { host, port });
  });
}

const NOT_TELEPORT: [string, string][] = [
  ['an HTML page', '<html></html>'],
  ['an empty body', ''],
  ['JSON of another service', '{"status":"ok"}'],
  ['an empty cluster name', ping({ cluster_name: '' })],
  ['a version that is none', ping({ server_version: 'unknown' })],
  ['a list', '[]'],
];

for (const [name, body] of NOT_TELEPORT) {
  test(`${name} is not the answer of a Teleport Proxy`, () => {
    assert.throws(
      () => parsePing(body, ASKED, 'awselb/2.0'),
      (error) =>
        error instanceof MachineIdError &&
        error.code === 'PROXY_NOT_TELEPORT' &&
        error.likelyCauses[0]?.includes('calls itself "awselb/2.0"') === true,
    );
  });
}

for (const [what, ssh, host, port] of [
  ['its public address', { ssh_tunnel_public_addr: 'tunnel.example.com:4024' }, 'tunnel.example.com', 4024],
  [
    'the host of SSH',
    { ssh_public_addr: 'ssh.example.com:4023', tunnel_listen_addr: '[::]:4024' },
    'ssh.example.com',
    4024,
  ],
  [
    'the Proxy itself',
    { public_addr: 'proxy.example.com:443', tunnel_listen_addr: '0.0.0.0:4024' },
    'proxy.example.com',
    4024,
  ],
  ['the usual port', { public_addr: 'proxy.example.com:443' }, 'proxy.example.com', 3024],
] as const) {
  test(`without TLS routing the tunnel listener is reached at ${what}`, () => {
    const { tunnelAddress } = parsePing(ping({ proxy: { tls_routing_enabled: false, ssh } }), ASKED);
    assert.deepEqual(tunnelAddress, { host, port });
  });
}

test('listeners for databases are reached at their public address, else at the Proxy with their port', () => {
  const db = {
    postgres_public_addr: 'db.example.com',
    postgres_listen_addr: '0.0.0.0:6432',
    mysql_listen_addr: '[::]:3036',
    mongo_public_addr: 'no address',
  };
  const ssh = { public_addr: 'proxy.example.com:443' };
  assert.deepEqual(
    [...parsePing(ping({ proxy: { tls_routing_enabled: true, ssh, db } }), ASKED).databases],
    [
      ['postgres', { host: 'db.example.com', port: 6432 }],
      ['mysql', { host: 'proxy.example.com', port: 3036 }],
    ],
  );
});

test('a version gives its major number', () => {
  assert.deepEqual(parseServerVersion('15.3.7'), { major: 15, text: '15.3.7' });
  assert.deepEqual(parseServerVersion('v19.0.0-dev.1+build'), { major: 19, text: '19.0.0-dev.1+build' });
});

test('text that is not a version is rejected', () => {
  for (const text of ['', '15', '15.3', 'x15.3.7', '15.3.7\n', '15.3.7 (Enterprise)', '999999.0.0']) {
    assert.equal(parseServerVersion(text), undefined, text);
  }
});

test('versions are in the order of Semantic Versioning', () => {
  const ordered = [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '17.0.0-aa',
    '17.0.0-alpha',
    '17.0.0',
  ].map((text) => ({ major: 0, text }));
  for (const [at, one] of ordered.entries()) {
    for (const [after, other] of ordered.entries()) {
      assert.equal(Math.sign(compareVersions(one, other)), Math.sign(at - after), `${one.text} and ${other.text}`);
    }
  }
  assert.equal(compareVersions({ major: 1, text: '1.0.0+a' }, { major: 1, text: '1.0.0+b' }), 0);
});
