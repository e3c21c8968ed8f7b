import assert from 'node:assert/strict';
import test from 'node:test';
import { egressEndpoints, type EgressFacts, type Endpoint } from '../../../src/commands/doctor/egress-endpoints.ts';
import { supportedOutputs } from '../../../src/outputs/supported.ts';
import { withGivenAddresses } from '../../../src/teleport/given-address.ts';
import { parsePing } from '../../../src/teleport/ping.ts';
import { planOf } from '../../config/plan-of.ts';

const ASKED = { host: 'teleport.example.com', port: 443 };

function cluster({ version = '18.6.0', name = 'example.com', proxy = {} } = {}) {
  const ssh = {
    public_addr: 'teleport.example.com:443',
    listen_addr: '0.0.0.0:3023',
    tunnel_listen_addr: '0.0.0.0:3024',
  };
  const ping = {
    cluster_name: name,
    server_version: version,
    proxy: { tls_routing_enabled: true, ssh, ...proxy },
  };
  return parsePing(JSON.stringify(ping), ASKED);
}

const FACTS: EgressFacts = {
  address: ASKED,
  outputs: [],
  cluster: cluster(),
  access: new Map(),
  downloads: {
    script: 'https://mirror.example.com:8443/machine-id.cjs',
    node: 'https://nodejs.org/dist',
    tools: 'https://cdn.teleport.dev',
  },
  environment: {},
  terminatesTls: () => false,
};

async function outputsOf(...items: readonly string[]) {
  const lines = items.map((item, at) => `  - { ${item}, destination: { type: directory, path: /d/${at} } }\n`);
  return supportedOutputs(
    await planOf(
      `version: v2\nproxy_server: teleport.example.com:443\nonboarding: {token: t, join_method: circleci}\noutputs:\n${lines.join('')}`,
    ),
  );
}

function rows(facts: Partial<EgressFacts>): ReadonlyMap<string, Endpoint> {
  return new Map(egressEndpoints({ ...FACTS, ...facts }).map((one) => [one.id, one]));
}

/** What a firewall sees of a connection. */
function onTheWire(one: Endpoint | undefined): string {
  if (one === undefined) return 'not listed';
  const { alpn, host = '?', port = '?', protocol = 'none', sni = '-' } = one;
  return `${protocol} ${host}:${port} ${sni} ${alpn.join(',') || '-'}`;
}

test('every run connects only to the Proxy, with these names', () => {
  const found = rows({ cluster: cluster({ name: 'a' }) });
  assert.deepEqual(
    [...found]
      .filter(([, { certificate }]) => certificate === 'web' || certificate === 'host')
      .map(([id, one]) => `${id}: ${onTheWire(one)}`),
    [
      'web-api: tls teleport.example.com:443 teleport.example.com http/1.1',
      'join-service: tls teleport.example.com:443 teleport.example.com teleport-proxy-grpc,h2',
      'registration: tls teleport.example.com:443 teleport.example.com http/1.1',
      'auth: tls teleport.example.com:443 61.teleport.cluster.local teleport-auth@61.teleport.cluster.local,h2',
      'auth-fallback: tls teleport.example.com:443 teleport.example.com teleport-auth@61.teleport.cluster.local,h2',
    ],
  );
});

for (const [version, needed, spare] of [
  ['18.6.0', 'join-service', 'registration'],
  ['15.3.7', 'registration', 'join-service'],
] as const) {
  test(`Teleport ${version} joins through ${needed}`, () => {
    const found = rows({ cluster: cluster({ version }) });
    assert.equal(found.get(needed)?.need, 'always');
    assert.equal(found.get(spare)?.need, 'sometimes');
  });
}

for (const host of ['192.0.2.7', '2001:db8::7']) {
  test(`an IP address is not sent as a server name: ${host}`, () => {
    const found = rows({ address: { host, port: 3080 } });
    assert.equal(found.get('web-api')?.sni, undefined);
    assert.equal(found.get('auth-fallback')?.sni, undefined);
    assert.match(found.get('auth')?.sni ?? '', /^[0-9a-f]+\.teleport\.cluster\.local$/);
  });
}

test('cluster names are encoded, including long and non-ASCII ones', () => {
  assert.equal(
    rows({ cluster: cluster({ name: 'é.example' }) }).get('auth')?.sni,
    'c3a92e6578616d706c65.teleport.cluster.local',
  );
  const long = rows({ cluster: cluster({ name: 'x'.repeat(109) }) }).get('auth')?.sni ?? '';
  assert.equal(long, `${'78'.repeat(109)}.teleport.cluster.local`);
  const tooLong = rows({ cluster: cluster({ name: 'x'.repeat(110) }) }).get('auth');
  assert.match(tooLong?.untried ?? '', /too long/);
});

test('the outputs decide what later steps need', async () => {
  const outputs = await outputsOf(
    'type: identity',
    'type: kubernetes, kubernetes_cluster: dev',
    'type: kubernetes, kubernetes_cluster: prod',
  );
  const found = rows({ outputs });
  assert.equal(
    onTheWire(found.get('ssh-transport')),
    'tls teleport.example.com:443 teleport.example.com teleport-proxy-ssh-grpc,h2',
  );
  assert.equal(
    onTheWire(found.get('kubernetes')),
    'tls teleport.example.com:443 kube-teleport-proxy-alpn.teleport.example.com h2,http/1.1',
  );
  assert.equal(
    onTheWire(found.get('reverse-tunnel')),
    'tls teleport.example.com:443 teleport.example.com teleport-reversetunnelv2,teleport-reversetunnel',
  );
  assert.deepEqual(
    ['ssh-transport', 'kubernetes', 'reverse-tunnel'].map((id) => found.get(id)?.need),
    ['always', 'always', 'sometimes'],
  );
  assert.equal(
    rows({ outputs: await outputsOf("type: identity, ssh_config: 'off'") }).get('ssh-transport')?.need,
    'sometimes',
  );
  assert.equal(
    rows({ outputs: await outputsOf('type: workload-identity-jwt, selector: {name: a}, audiences: [b]') }).has(
      'ssh-transport',
    ),
    false,
  );
});

test('without TLS routing each listener has its own port', async () => {
  const outputs = await outputsOf('type: identity', 'type: kubernetes, kubernetes_cluster: dev');
  const kube = { enabled: true, public_addr: 'kube.example.com:3026' };
  const found = rows({ outputs, cluster: cluster({ proxy: { tls_routing_enabled: false, kube } }) });
  assert.deepEqual(
    ['auth', 'ssh-transport', 'reverse-tunnel', 'kubernetes'].map((id) =>
      onTheWire(found.get(id)).replace(/ \S*cluster.local.*/, ' …'),
    ),
    [
      'tls teleport.example.com:443 …',
      'tls teleport.example.com:3023 teleport.example.com teleport-proxy-ssh-grpc,h2',
      'ssh teleport.example.com:3024 - -',
      'tls kube.example.com:3026 kube.example.com h2,http/1.1',
    ],
  );
  const nowhere = rows({ outputs, cluster: cluster({ proxy: { tls_routing_enabled: false } }) }).get('kubernetes');
  assert.match(nowhere?.untried ?? '', /reports no address for Kubernetes/);
});

test('a database has the listener of its protocol, or an ALPN value on the web port', async () => {
  const outputs = await outputsOf('type: database, service: orders, username: ci');
  const db = { postgres_public_addr: 'db.example.com:5432', mysql_listen_addr: '0.0.0.0:3036' };
  const known = (protocol: string) => {
    const access = new Map([
      ['outputs[0]', { kind: 'database', name: 'orders', protocol, user: 'ci', database: undefined } as const],
    ]);
    return onTheWire(rows({ outputs, access, cluster: cluster({ proxy: { db } }) }).get('database:outputs[0]'));
  };
  assert.equal(known('postgres'), 'postgres db.example.com:5432 - -');
  assert.equal(known('cockroachdb'), 'postgres db.example.com:5432 - -');
  assert.equal(known('mysql'), 'mysql teleport.example.com:3036 - -');
  assert.equal(known('mongodb'), 'tls teleport.example.com:443 teleport.example.com teleport-mongodb');
  assert.equal(known('redis'), 'tls teleport.example.com:443 teleport.example.com teleport-redis');
});

test('a connection that depends on a join is listed with the reason why it is unknown', async () => {
  const outputs = await outputsOf('type: application, app_name: dashboard', 'type: database, service: orders');
  const access = new Map(outputs.map(({ path }) => [path, 'there is no OIDC token.']));
  const found = rows({ outputs, access, cluster: cluster({ proxy: { db: { mongo_public_addr: 'm.example.com' } } }) });
  for (const id of ['application:outputs[0]', 'database:outputs[1]']) {
    assert.match(found.get(id)?.untried ?? '', /reports only after a join: there is no OIDC token\.$/);
    assert.equal(found.get(id)?.need, 'always');
  }
  assert.equal(onTheWire(found.get('database-listener:mongodb')), 'tls m.example.com:27017 m.example.com -');
});

test('an application is reached at its public address, on the port of the Proxy unless that names one', async () => {
  const outputs = await outputsOf('type: application, app_name: dashboard');
  const at = (address: string) => {
    const access = new Map([['outputs[0]', { kind: 'application', name: 'dashboard', address } as const]]);
    return onTheWire(rows({ outputs, access }).get('application:outputs[0]'));
  };
  assert.equal(at('dashboard.example.com'), 'tls dashboard.example.com:443 dashboard.example.com http/1.1');
  assert.equal(at('dashboard.example.com:8443'), 'tls dashboard.example.com:8443 dashboard.example.com http/1.1');
});

test('AWS is reached in the region of the trust anchor, or at the endpoint its variables name', async () => {
  const [output] = await outputsOf(
    [
      'type: workload-identity-aws-roles-anywhere, selector: { name: a }',
      'role_arn: "arn:aws:iam::123456789012:role/r"',
      'profile_arn: "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/0b0e0000-0000-4000-8000-000000000000"',
      'trust_anchor_arn: "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/0b0e0000-0000-4000-8000-000000000000"',
    ].join(', '),
  );
  assert.ok(output !== undefined);
  const found = (environment: EgressFacts['environment']) =>
    [...rows({ outputs: [output], environment }).values()].find(({ certificate }) => certificate === 'aws');
  assert.match(onTheWire(found({})), /^tls rolesanywhere\.eu-central-1\.amazonaws\.com:443 /);
  assert.match(
    onTheWire(found({ AWS_ENDPOINT_URL: 'https://vpce.example.com:8443' })),
    /^tls vpce\.example\.com:8443 /,
  );
  const refused = found({ AWS_ENDPOINT_URL: 'https://user:pass-word@vpce.example.com' });
  assert.match(refused?.untried ?? '', /AWS_ENDPOINT_URL must be an address of the form https:\/\/host/);
  assert.doesNotMatch(JSON.stringify(refused), /pass-word/);
});

test('telemetry is listed only when it is on', () => {
  assert.equal(rows({}).has('telemetry'), false);
  const environment = { TELEPORT_ANONYMOUS_TELEMETRY: '1' };
  assert.match(onTheWire(rows({ environment }).get('telemetry')), /^tls reporting-tbot\.teleportinfra\.sh:443 /);
  const plain = { ...environment, TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS: 'http://t.example.com' };
  assert.equal(onTheWire(rows({ environment: plain }).get('telemetry')), 'tcp t.example.com:80 - -');
});

test('downloads are listed by host only, and GitHub with the host it redirects to', () => {
  const mirror = rows({
    downloads: { ...FACTS.downloads, script: 'https://user:pass-word@mirror.example.com:8443/x?key=pass-word' },
  });
  assert.match(onTheWire(mirror.get('script')), /^tls mirror\.example\.com:8443 mirror\.example\.com /);
  assert.doesNotMatch(JSON.stringify([...mirror]), /pass-word/);
  assert.equal(mirror.has('script-asset'), false);
  const script = 'https://github.com/example/orb/releases/download/v1.2.3/machine-id.cjs';
  const github = rows({ downloads: { ...FACTS.downloads, script } });
  assert.match(onTheWire(github.get('script-asset')), /^tls release-assets\.githubusercontent\.com:443 /);
  assert.match(rows({ downloads: { ...FACTS.downloads, node: 'ftp://x' } }).get('node')?.untried ?? '', /not an https/);
});

test('without any configuration, every connection is listed with what is missing', () => {
  const found = rows({ address: undefined, cluster: undefined, outputs: undefined });
  for (const id of ['web-api', 'join-service', 'auth', 'auth-fallback', 'ssh-transport', 'kubernetes']) {
    assert.match(found.get(id)?.untried ?? '', /address of the Proxy is not configured/, id);
  }
  const asked = rows({ cluster: undefined, outputs: undefined });
  assert.match(asked.get('auth')?.untried ?? '', /name of the cluster is unknown/);
  assert.match(onTheWire(asked.get('kubernetes')), /kube-teleport-proxy-alpn\.teleport\.example\.com/);
  assert.match(asked.get('application')?.untried ?? '', /public address of the application/);
});

test('with TBOT_USE_PROXY_ADDR later steps use the address that was given', async () => {
  const outputs = await outputsOf('type: identity', 'type: kubernetes, kubernetes_cluster: dev');
  const address = { host: 'internal.example.com', port: 8443 };
  const tunnelAddress = { host: 'tunnel.example.com', port: 3024 };
  const used = withGivenAddresses(cluster(), { address, useProxyAddr: true, tunnelAddress });
  const found = rows({ outputs, address, cluster: used });
  for (const id of ['ssh-transport', 'kubernetes']) {
    assert.match(onTheWire(found.get(id)), /^tls internal\.example\.com:8443 /, id);
  }
  assert.match(
    onTheWire(found.get('reverse-tunnel')),
    /^tls tunnel\.example\.com:3024 tunnel\.example\.com teleport-rev/,
  );
  const separate = withGivenAddresses(cluster({ proxy: { tls_routing_enabled: false } }), {
    address,
    useProxyAddr: true,
  });
  // Only the web address: the given one says nothing about other ports.
  assert.match(
    onTheWire(rows({ outputs, address, cluster: separate }).get('ssh-transport')),
    /^tls teleport\.example\.com:3023 /,
  );
});
