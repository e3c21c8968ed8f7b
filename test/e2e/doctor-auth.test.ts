/** What doctor and its table say about an Auth Service that is reached directly. */
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { examined, results } from './egress-report.ts';
import { clusterIn, directoryFor, NEWEST } from './embedded-cluster.ts';
import { checksOf } from './doctor-checks.ts';
import { freePort } from './free-port.ts';
import { beginJob, type Job } from './job.ts';

const authorities = await directoryFor({ after });
const alone = await clusterIn(authorities, { after }, { teleport: NEWEST, authOnly: true });
const beside = await clusterIn(authorities, { after }, { teleport: NEWEST });
const WRONG_PIN = `sha256:${'0'.repeat(64)}`;
const ROWS = ['auth-join', 'registration', 'auth', 'web-api', 'auth-programs'];

function fileFor(job: Job, { info }: Cluster, address = info.auth, ssh = 'off'): Promise<string> {
  const lines = [
    'version: v2',
    `auth_server: ${address}`,
    `onboarding: {join_method: circleci, token: ${info.joinToken}}`,
    'outputs:',
    `- {type: identity, ssh_config: '${ssh}', destination: {type: directory, path: '${job.destination}'}}`,
  ];
  return job.addFile('tbot.yaml', `${lines.join('\n')}\n`);
}

for (const { teleport, registration } of [
  { teleport: '15.3.7', registration: 'always' },
  { teleport: '17.7.1', registration: 'sometimes' },
  { teleport: NEWEST, registration: undefined },
]) {
  test(`Teleport ${teleport} without a Proxy: both follow the connections of a run`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport, authOnly: true });
    const job = await beginJob(t, cluster);
    const { auth, caPin } = cluster.info;
    const flags = ['--config', await fileFor(job, cluster), '--ca-pin', caPin];
    const checks = await checksOf(job, flags);
    assert.deepEqual(
      [...checks.values()].filter(({ state }) => state === 'warn' || state === 'fail'),
      [],
    );
    assert.match(checks.get('tls')?.detail ?? '', /^signed by the host authority, which matches 1 CA pin$/);
    assert.match(checks.get('cluster')?.detail ?? '', new RegExp(`Teleport ${teleport}, signature algorithm suite`));
    assert.equal(
      checks.get('topology')?.detail,
      `the Auth Service is reached directly at ${auth}\nit reports no Proxy`,
    );
    assert.equal(checks.get('auth')?.detail, `Teleport ${teleport}, reached directly at ${auth}`);
    assert.ok(['load-balancer', 'proxy', 'clock'].every((id) => !checks.has(id)));

    const found = await examined(job, flags);
    assert.deepEqual([found.auth, found.proxy, found.missing], [auth, null, []]);
    assert.equal(found.topology, `the Auth Service is reached directly at ${auth}`);
    const ids = registration === undefined ? ['auth-join', 'auth'] : ['auth-join', 'registration', 'auth'];
    assert.deepEqual(
      results(found, ...ids, 'auth-programs'),
      [...ids, 'auth-programs'].map(() => 'open'),
    );
    assert.equal(found.rows.get('registration')?.need, registration);
    assert.deepEqual(
      [...found.rows.keys()].filter((id) => /proxy|tunnel|ssh|web-api|fallback|join-service/.test(id)),
      [],
    );
    const { alpn, sni } = found.rows.get('auth') ?? {};
    assert.deepEqual(
      [alpn, sni],
      [['h2'], `${Buffer.from(cluster.info.cluster).toString('hex')}.teleport.cluster.local`],
    );
  });
}

test('the Proxy that the Auth Service reports is asked, if files name it', async (t) => {
  const job = await beginJob(t, beside);
  const { auth, caPin, proxy } = beside.info;
  const flags = ['--config', await fileFor(job, beside, auth, 'on'), '--ca-pin', caPin];
  const checks = await checksOf(job, flags);
  assert.equal(checks.get('proxy')?.state, 'pass');
  assert.match(
    checks.get('topology')?.detail ?? '',
    new RegExp(`reached directly at ${auth}\nthe Proxy that later steps use: one port: .* ${proxy} \\(TLS routing\\)$`),
  );
  const found = await examined(job, flags);
  assert.deepEqual([found.auth, found.proxy, found.missing], [auth, proxy, []]);
  assert.deepEqual(results(found, 'auth-join', 'auth', 'web-api', 'ssh-transport'), Array<string>(4).fill('open'));
  const [, port] = proxy.split(':');
  assert.equal(String(found.rows.get('ssh-transport')?.port), port);

  const unused = await checksOf(job, ['--config', await fileFor(job, beside), '--ca-pin', caPin]);
  assert.match(unused.get('topology')?.detail ?? '', new RegExp(`it reports the Proxy ${proxy}, which is not used$`));
});

test('a Proxy under auth_server is checked as one, with a warning', async (t) => {
  const job = await beginJob(t, beside);
  const flags = ['--config', await fileFor(job, beside, beside.info.proxy, 'on')];
  const checks = await checksOf(job, flags);
  assert.equal(checks.get('auth-server')?.state, 'warn');
  assert.match(checks.get('auth-server')?.fix ?? '', /^Set proxy_server/);
  assert.deepEqual(
    ['load-balancer', 'proxy', 'auth'].map((id) => checks.get(id)?.state),
    Array(3).fill('pass'),
  );
  const found = await examined(job, flags);
  assert.deepEqual([found.auth, found.proxy, found.missing], [null, beside.info.proxy, []]);
  assert.match(found.notes.join('\n'), /^auth_server names a Proxy, which is used as one\.$/m);
});

test('what keeps a run from joining at the Auth Service is the first failure, and the table still has its rows', async (t) => {
  const job = await beginJob(t, alone);
  const closed = `127.0.0.1:${await freePort()}`;
  const { auth, caPin } = alone.info;
  const cases = [
    {
      flags: ['--ca-pin', WRONG_PIN],
      id: 'tls',
      detail: /\[CA_PIN_MISMATCH\]\nlikely cause 1: the pin is from another/,
    },
    { flags: [], id: 'tls', detail: /\[CA_PIN_MISSING\]$/, fix: /^Set onboarding\.ca_pins/ },
    {
      flags: ['--ca-path', alone.info.webCa],
      id: 'tls',
      detail: /\[AUTH_UNTRUSTED\]\nlikely cause 1: the certificate is for .*, signed by example\.teleport\.test, which/,
      fix: /ca_path/,
    },
    { flags: ['--ca-path', 'missing.pem'], id: 'ca-path', detail: /\[CA_FILE_INVALID\]$/ },
    {
      address: closed,
      flags: ['--ca-pin', caPin],
      id: 'tcp',
      detail:
        /\[AUTH_UNREACHABLE\]\nlikely cause 1: nothing listens on port \d+; the port of an Auth Service is usually 3025/,
    },
  ] as const;
  for (const { flags, id, detail, ...rest } of cases) {
    const file = await fileFor(job, alone, 'address' in rest ? rest.address : auth);
    const checks = await checksOf(job, ['--config', file, ...flags]);
    const failed = [...checks.values()].filter(({ state }) => state === 'fail');
    assert.deepEqual(
      failed.map((one) => one.id),
      [id],
    );
    assert.match(failed[0]?.detail ?? '', detail);
    if ('fix' in rest) assert.match(failed[0]?.fix ?? '', rest.fix);
    assert.equal(checks.get('join')?.state, 'skip');
  }

  const file = await fileFor(job, alone);
  const untrusted = await examined(job, ['--config', file, '--ca-pin', WRONG_PIN]);
  assert.deepEqual(results(untrusted, ...ROWS), ['other', undefined, 'open', undefined, 'open']);
  assert.match(
    untrusted.rows.get('auth-join')?.detail ?? '',
    /^TLS opens, but .* does not match ca_pins: .* \[CA_PIN_MISMATCH\]\.$/,
  );
  assert.match(
    untrusted.notes.join('\n'),
    /^The Auth Service is not trusted; its response was used only for this table/m,
  );
  assert.deepEqual(untrusted.missing, ['auth-join']);
  const refused = await examined(job, ['--config', await fileFor(job, alone, closed), '--ca-pin', caPin]);
  assert.deepEqual(results(refused, ...ROWS), ['closed', 'closed', 'untried', undefined, 'untried']);
  assert.match(refused.notes.join('\n'), /^The Auth Service did not report its cluster and version\.$/m);
  assert.deepEqual(refused.missing, ['auth-join', 'auth']);
  // Nothing of this has sent a token or an identity.
  assert.deepEqual(
    alone.records.kinds.filter((kind) => /join|register/i.test(kind)),
    [],
  );
});
