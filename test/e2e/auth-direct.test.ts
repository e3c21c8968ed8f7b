import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterIn, directoryFor, misbehave, misbehaveAtFirst, NEWEST } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { beginJob, type Job } from './job.ts';
import { assertRunRefused, errorReport } from './refusal.ts';
import { resultOf } from './run-result.ts';

const authorities = await directoryFor({ after });
const alone = await clusterIn(authorities, { after }, { teleport: NEWEST, authOnly: true });
const old = await clusterIn(authorities, { after }, { teleport: '15.3.7', authOnly: true });
const beside = await clusterIn(authorities, { after }, { teleport: NEWEST });
const QUICK = ['--deadline', '2', '--timeout', '1'];
const WRONG_PIN = `sha256:${'0'.repeat(64)}`;

/** A file with one identity, which has no files for OpenSSH unless asked for. */
async function fileFor(job: Job, { info }: Cluster, more: readonly string[] = [], ssh = 'off'): Promise<string> {
  const lines = [
    'version: v2',
    `auth_server: ${info.auth}`,
    'onboarding:',
    '  join_method: circleci',
    `  token: ${info.joinToken}`,
    ...more,
    'outputs:',
    '- type: identity',
    `  ssh_config: '${ssh}'`,
    `  destination: {type: directory, path: '${job.destination}'}`,
  ];
  return job.addFile('tbot.yaml', `${lines.join('\n')}\n`);
}

const pinned = ({ info }: Cluster) => [`  ca_pins: [${info.caPins.map((pin) => `'${pin}'`).join(', ')}]`];

/** What carries a token or an identity. */
const joins = ({ records }: Cluster) =>
  records.all.filter(({ kind }) => /join|register/i.test(kind)).map(({ kind, outcome }) => `${kind} ${outcome}`);

test('without a pin, a CA file or insecure, no Auth Service is joined', async (t) => {
  for (const cluster of [old, alone]) {
    const job = await beginJob(t, cluster);
    const says =
      /^nothing says how to recognize the Auth Service 127\.0\.0\.1:\d+: there is neither a CA pin nor a CA file$/;
    const args = ['run', '--config', await fileFor(job, cluster)];
    await assertRunRefused(job, { code: 'CA_PIN_MISSING', says, hint: /tctl status/ }, { args });
    assert.deepEqual(joins(cluster), []);
  }
});

test('during a rotation both pins are needed', async (t) => {
  const cluster = await clusterIn(authorities, t, { authOnly: true, rotation: 'update_clients' });
  const [one = '', two = ''] = cluster.info.caPins;
  const job = await beginJob(t, cluster);
  const file = await fileFor(job, cluster);
  for (const [known, missing] of [
    [one, two],
    [two, one],
  ] as const) {
    const says = new RegExp(`does not match ca_pins: it has the pin ${missing}\\n`);
    await assertRunRefused(
      job,
      { code: 'CA_PIN_MISMATCH', says },
      { args: ['run', '--config', file, '--ca-pin', known] },
    );
  }
  assert.deepEqual(joins(cluster), []);
});

test('a wrong pin, another authority and a server in between are refused before a token is sent', async (t) => {
  const job = await beginJob(t, alone);
  const file = await fileFor(job, alone);
  const args = ['run', '--config', file, ...QUICK];
  const says = new RegExp(`does not match ca_pins: it has the pin ${alone.info.caPin}\\n`);
  const refusal = { code: 'CA_PIN_MISMATCH', says, hint: /tctl status/ } as const;
  await assertRunRefused(job, refusal, { args: [...args, '--ca-pin', WRONG_PIN] });
  const untrusted = {
    code: 'AUTH_UNTRUSTED',
    says: /^the certificate of the Auth Service 127\.0\.0\.1:\d+ is not trusted: /,
    hint: /tctl auth export --type=tls-host/,
  } as const;
  await assertRunRefused(job, untrusted, { args: [...args, '--ca-path', alone.info.webCa] });
  misbehave(t, alone, { authCertificate: 'of-other-authority' });
  await assertRunRefused(job, untrusted, { args: [...args, '--ca-pin', alone.info.caPin] });
  assert.deepEqual(joins(alone), []);
});

test('pins and CA files that cannot be right are wrong input, found before anything is contacted', async (t) => {
  const job = await beginJob(t, alone);
  const file = await fileFor(job, alone);
  await job.addFile('empty.pem', '');
  const cases = [
    { flags: ['--ca-pin', 'sha256:12'], code: 'CONFIG_INVALID', says: /"sha256:12" is not a CA pin/ },
    { flags: ['--ca-pin', `sha512:${'0'.repeat(64)}`], code: 'CONFIG_INVALID', says: /is not a CA pin/ },
    {
      flags: ['--ca-path', 'missing.pem'],
      code: 'CA_FILE_INVALID',
      says: /^cannot read the CA file missing\.pem \(ca_path\)/,
    },
    {
      flags: ['--ca-path', 'empty.pem'],
      code: 'CA_FILE_INVALID',
      says: /^the CA file empty\.pem \(ca_path\) contains no PEM/,
    },
    { flags: ['--ca-pin', WRONG_PIN, '--insecure'], code: 'CONFIG_INVALID', says: /mutually exclusive/ },
  ] as const;
  for (const { flags, ...refusal } of cases) {
    await assertRunRefused(job, refusal, { args: ['run', '--config', file, ...flags] });
  }
  assert.deepEqual(alone.records.all, []);
});

test('a Proxy under auth_server is joined through, and a sentence says so', async (t) => {
  const job = await beginJob(t, beside);
  const { joinToken, proxy } = beside.info;
  const flags = ['run', '--auth-server', proxy, '--token', joinToken, '--destination', job.destination];
  const run = await job.run([...flags, '--json']);
  assert.equal(resultOf(run).joinPath, 'join-service');
  assert.match(run.stderr, /auth_server names a Proxy: joining through localhost:\d+; set proxy_server/);
  assert.ok(beside.records.kinds.includes('ping'));
});

test('what is neither an Auth Service nor a Proxy gets one error', async (t) => {
  const job = await beginJob(t, alone);
  const server = createServer((_request, response) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const to = (port: number) => ({
    args: ['run', '--auth-server', `127.0.0.1:${port}`, '--token', 't', '--destination', job.destination, ...QUICK],
  });
  const says =
    /^127\.0\.0\.1:\d+ \(from --auth-server\) is not an Auth Service \(.*\), and cannot be used as a Proxy: /;
  await assertRunRefused(job, { code: 'PROXY_UNREACHABLE', says, hint: /proxy_server/ }, to(address.port));
  const closed = /^cannot connect to the Auth Service 127\.0\.0\.1:\d+: .*the connection was refused/;
  await assertRunRefused(job, { code: 'AUTH_UNREACHABLE', says: closed, hint: /3025/ }, to(await freePort()));
});

test('a join is refused at the Auth Service in the same words as at the Proxy', async (t) => {
  for (const cluster of [old, await clusterIn(authorities, t, { teleport: '17.7.1', authOnly: true }), alone]) {
    const job = await beginJob(t, cluster);
    const args = ['run', '--config', await fileFor(job, cluster, pinned(cluster))];
    const unknown = { code: 'JOIN_TOKEN_UNKNOWN', says: /has no valid join token "no-such-token"/ } as const;
    await assertRunRefused(job, unknown, { args: [...args, '--token', 'no-such-token'] });
    const project = '99999999-8888-4777-8666-555555555555';
    const environment = { CIRCLE_OIDC_TOKEN: await cluster.mint({ project }) };
    const refused = {
      code: 'JOIN_CLAIMS_REFUSED',
      says: new RegExp(`\\(Teleport ${cluster.info.teleport}\\).*project ${project}`),
    } as const;
    await assertRunRefused(job, refused, { args, changes: { environment } });
  }
});

test('a join is retried when the Auth Service is unavailable at first', async (t) => {
  for (const [cluster, kind] of [
    [old, 'legacy-join'],
    [alone, 'join-service'],
  ] as const) {
    const job = await beginJob(t, cluster);
    misbehaveAtFirst(t, cluster, { kind, fault: 'unavailable', times: 1 });
    const run = await job.run(['run', '--config', await fileFor(job, cluster, pinned(cluster)), '--json']);
    assert.equal(resultOf(run).bot, 'ci', run.stderr);
  }
});

test('the files for OpenSSH name the Proxy that the Auth Service reports', async (t) => {
  const job = await beginJob(t, beside);
  const file = await fileFor(job, beside, pinned(beside), 'on');
  const run = await job.run(['run', '--config', file, '--json']);
  assert.ok(resultOf(run).outputs[0]?.files.includes('ssh_config'), run.stderr);
  const config = await readFile(join(job.destination, 'ssh_config'), 'utf8');
  assert.ok(config.includes(`--proxy-server='${beside.info.proxy}'`), config);
  const exported = await readFile(job.bashEnv, 'utf8');
  assert.match(exported, new RegExp(`TELEPORT_PROXY='?${beside.info.proxy}`));
  assert.match(exported, new RegExp(`TF_TELEPORT_ADDR='?${beside.info.auth}`));
});

test('without a Proxy that can be asked, only the outputs fail that need one', async (t) => {
  const proxyPublicAddr = `127.0.0.1:${await freePort()}`;
  const unreachable = await clusterIn(authorities, t, { authOnly: true, proxyPublicAddr });
  const reasons = [
    [alone, /the Auth Service reports no public address of a Proxy$/, 'CLUSTER_UNSUPPORTED'],
    [
      unreachable,
      new RegExp(`at ${proxyPublicAddr} according to the Auth Service: cannot connect`),
      'PROXY_UNREACHABLE',
    ],
  ] as const;
  for (const [cluster, says, code] of reasons) {
    const job = await beginJob(t, cluster);
    const other = join(job.folder, 'other');
    const more = [
      'services:',
      '- type: identity',
      `  ssh_config: 'off'`,
      `  destination: {type: directory, path: '${other}'}`,
    ];
    const file = await fileFor(job, cluster, [...pinned(cluster), ...more], 'on');
    const run = await job.run(['run', '--config', file, ...QUICK]);
    const report = errorReport(run);
    assert.equal(report.code, code, run.stderr);
    assert.match(report.message, says);
    assert.match(report.hint, /ssh_config: off/);
    assert.ok((await stat(join(other, 'identity'))).isFile());
  }
});

test('TBOT_USE_PROXY_ADDR needs the address of a Proxy', async (t) => {
  const job = await beginJob(t, alone);
  const args = ['run', '--config', await fileFor(job, alone, pinned(alone))];
  const says = /TBOT_USE_PROXY_ADDR requires that a proxy address is set/;
  const changes = { environment: { TBOT_USE_PROXY_ADDR: 'yes' } };
  await assertRunRefused(job, { code: 'CONFIG_INVALID', says }, { args, changes });
});

test('a join URI of the kind auth joins there', async (t) => {
  const job = await beginJob(t, alone);
  const { auth, caPin, joinToken } = alone.info;
  const file = await job.addFile(
    'tbot.yaml',
    `version: v2\njoin_uri: tbot+auth+circleci://${joinToken}@${auth}\nonboarding: {ca_pins: ['${caPin}']}\noutputs: []\n`,
  );
  assert.equal(resultOf(await job.run(['run', '--config', file, '--json'])).bot, 'ci');
});
