import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test, { after } from 'node:test';
import { z } from 'zod';
import { ownAuthority } from '../cluster/world.ts';
import { certificatePem } from '../cluster/crypto/x509.ts';
import { directory, runItems } from './config-file.ts';
import { clusterIn, directoryFor, NEWEST } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { bounded } from '../programs.ts';
import { startReleaseServer } from './release-server.ts';
import { SECRET_KEY, SESSION_TOKEN, startRolesAnywhere } from './roles-anywhere-server.ts';
import { BUNDLE, type BundleRun, NODE } from './run-bundle.ts';
import { ARCHIVE, archiveOf, beginToolsJob, VERSION } from './tools-job.ts';

const authorities = await directoryFor({ after });
const newest = await clusterIn(authorities, { after }, { teleport: NEWEST });

const Line = z.looseObject({
  level: z.string(),
  message: z.string(),
  atMs: z.int().nonnegative(),
  connection: z.int().positive(),
  to: z.string(),
  event: z.string(),
  name: z.string().optional(),
  method: z.string().optional(),
  path: z.string().optional(),
  status: z.int().optional(),
  direction: z.string().optional(),
  kind: z.string().optional(),
  code: z.string().optional(),
  sentBytes: z.int().optional(),
  receivedBytes: z.int().optional(),
});

type Line = z.infer<typeof Line>;

/** The lines about connections in a JSON log. */
function wireLines({ stderr }: BundleRun): readonly Line[] {
  return stderr
    .split('\n')
    .filter((line) => line.includes('"event":'))
    .map((line) => Line.parse(JSON.parse(line)));
}

/** As text without addresses, sizes and times. */
function inShort({ code, direction, event, kind, method = '', path, status }: Line): string {
  const facts = [event, direction, kind, event === 'grpc-message' ? '' : method, path, status, code];
  return facts.filter((fact) => fact !== undefined && fact !== '').join(' ');
}

/** The events of the connection to a server, without addresses on which nothing listens. */
function storyOf(to: string, lines: readonly Line[]): readonly string[] {
  return lines.filter((line) => line.to === to && line.event !== 'tcp-failed').map(inShort);
}

const OPENED = ['dns', 'tcp', 'tls'];
const JOIN = '/teleport.join.v1.JoinService/Join';
const AUTHORITIES = 'grpc /teleport.trust.v1.TrustService/GetCertAuthorities OK';
/** Sorted by name, because parallel requests can be answered in any order. */
const CALLS = [
  'grpc /proto.AuthService/GenerateUserCerts OK',
  'grpc /proto.AuthService/GetRole OK',
  'grpc /proto.AuthService/Ping OK',
  AUTHORITIES,
  AUTHORITIES,
  AUTHORITIES,
];
const HEARTBEAT = 'grpc /teleport.machineid.v1.BotInstanceService/SubmitHeartbeat';
const JOINED_BY_SERVICE = [
  ...OPENED,
  'grpc-message sent client_init',
  'grpc-message received init',
  'grpc-message sent oidc_init',
  'grpc-message received result',
  `grpc ${JOIN} ended here`,
  'closed',
];

const CASES = [
  { teleport: '18.6.0', requests: ['https GET /webapi/ping 200'], join: JOINED_BY_SERVICE },
  {
    teleport: '15.3.7',
    requests: ['https GET /webapi/ping 200', 'https POST /v1/webapi/host/credentials 200'],
    join: undefined,
  },
] as const;

for (const { join: joinStory, requests, teleport } of CASES) {
  test(`Teleport ${teleport}: --debug logs every connection in order, without secrets`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const job = await beginJob(t, cluster);
    const asJson = await job.run([...job.flags, '--debug', '--log-format', 'json']);
    assert.equal(asJson.exitCode, 0, asJson.stderr);
    const lines = wireLines(asJson);
    assert.deepEqual(storyOf('web API', lines), [...OPENED, ...requests, 'closed']);
    if (joinStory !== undefined) assert.deepEqual(storyOf('join service', lines), joinStory);
    const all = storyOf('Auth Service', lines);
    // The end of a run waits only a moment for the response to the heartbeat, and then closes the connection.
    const heartbeats = all.filter((event) => event.startsWith(HEARTBEAT));
    assert.equal(heartbeats.length, teleport === '15.3.7' ? 0 : 1);
    assert.match(heartbeats[0] ?? 'OK', /(OK|ended here|Unavailable)$/);
    const auth = all.filter((event) => !event.startsWith(HEARTBEAT));
    assert.deepEqual([...auth.slice(0, 3), auth.at(-1)], [...OPENED, 'closed']);
    assert.deepEqual(auth.slice(3, -1).sort(), CALLS);
    assertSizes(lines);
    assertEachLine(lines);
    await assertNothingWrittenIsShown(asJson, job, cluster.info.joinToken);

    const asText = await job.run([...job.flags, '--debug']);
    assert.equal(asText.exitCode, 0, asText.stderr);
    for (const to of ['web API', 'Auth Service']) {
      const events = textEvents(asText, to).filter((event) => event !== 'tcp-failed');
      const told = lines.filter((line) => line.to === to && line.event !== 'tcp-failed').map(({ event }) => event);
      assert.deepEqual(events.sort(), told.sort());
    }
    assert.match(asText.stderr, / web API tls: .*version TLSv1\.3, .*server name localhost, .*session reused false/);
    assert.match(asText.stderr, / Auth Service tls: .*alpn h2, .*client certificate sent/);
    await assertNothingWrittenIsShown(asText, job, cluster.info.joinToken);
  });
}

/** The bytes of the web connection are those of its requests. */
function assertSizes(lines: readonly Line[]): void {
  const web = lines.filter(({ to }) => to === 'web API');
  const total = (event: string, name: 'sentBytes' | 'receivedBytes') =>
    web.filter((line) => line.event === event).reduce((sum, line) => sum + (line[name] ?? 0), 0);
  for (const name of ['sentBytes', 'receivedBytes'] as const) {
    assert.ok(total('https', name) > 0);
    assert.equal(total('https', name), total('closed', name));
  }
}

/** Times increase, each line has the level debug, and its message consists of its facts. */
function assertEachLine(lines: readonly Line[]): void {
  let lastMs = 0;
  for (const { atMs, connection, event, level, message, to } of lines) {
    assert.ok(atMs >= lastMs);
    lastMs = atMs;
    assert.equal(level, 'debug');
    const start = `[${String(atMs).padStart(5)} ms] #${String(connection)} ${to} ${event}: `;
    assert.equal(message.slice(0, start.length), start);
  }
}

function textEvents({ stderr }: BundleRun, to: string): readonly string[] {
  const pattern = new RegExp(String.raw`^debug: \[ *\d+ ms\] #\d+ ${to} (\S+): .*\d$`);
  return stderr.split('\n').flatMap((line) => pattern.exec(line)?.[1] ?? []);
}

/** No line of any file except PEM headers. The test for the JWT is in the job itself. */
async function assertNothingWrittenIsShown({ stderr }: BundleRun, job: Job, joinToken: string): Promise<void> {
  const names = await readdir(job.destination);
  assert.ok(names.includes('key') && names.includes('identity'));
  for (const name of names) {
    const lines = (await readFile(join(job.destination, name), 'utf8')).split('\n');
    for (const line of lines.filter((one) => /^[A-Za-z0-9+/=]{30,}$/.test(one))) {
      assert.ok(!stderr.includes(line) && !stderr.includes(line.slice(0, 24)), `a line of ${name} is shown`);
    }
  }
  assert.ok(!stderr.includes(joinToken), 'the join token is shown');
  assert.doesNotMatch(stderr, /-----BEGIN|[Aa]uthorization|[Cc]ontent-[Tt]ype|user-agent/);
}

test('without --debug, these lines are not printed', async (t) => {
  const job = await beginJob(t, newest);
  for (const more of [[], ['--log-format', 'json']]) {
    const { exitCode, stderr } = await job.run([...job.flags, ...more]);
    assert.equal(exitCode, 0, stderr);
    assert.doesNotMatch(stderr, /debug|"event"|#\d|grpc|TLSv1/);
  }
});

test('a failed connection is logged with the reason', async (t) => {
  const job = await beginJob(t, newest);
  const run = await job.run([...job.flags, '--debug'], { environment: { SSL_CERT_FILE: undefined } });
  assert.equal(run.exitCode, 1);
  assert.match(run.stderr, / web API tls: .*issuer Embedded cluster web CA, /);
  assert.match(run.stderr, / web API closed: .*error [A-Z_]+/);
});

test('doctor logs the connections of its checks', async (t) => {
  const job = await beginJob(t, newest);
  const run = await job.run(['doctor', ...job.flags.slice(1), '--debug', '--log-format', 'json']);
  assert.equal(run.exitCode, 0, run.stderr);
  const lines = wireLines(run);
  assert.deepEqual(storyOf('join service', lines), JOINED_BY_SERVICE);
  assert.ok(storyOf('web API', lines).includes('https GET /webapi/ping 200'));
  assert.ok(storyOf('Auth Service', lines).includes(AUTHORITIES));
});

test('requests to AWS are logged without the query', async (t) => {
  const arns = {
    trustAnchorArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/0d0c4e6b',
    profileArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:profile/1c4c1e9a',
    roleArn: 'arn:aws:iam::123456789012:role/ci-deploy',
  };
  const authorityPem = certificatePem(ownAuthority(newest.world, 'spiffe').tls.certificate);
  const server = await startRolesAnywhere(t, { ...arns, authorityPem, region: 'eu-central-1' });
  const job = await beginJob(t, newest);
  const bundle = join(job.folder, 'aws-ca.pem');
  await writeFile(bundle, server.certificate);
  const environment = { AWS_ENDPOINT_URL_ROLESANYWHERE: server.url, AWS_CA_BUNDLE: bundle };
  const secrets = [SECRET_KEY, SESSION_TOKEN];
  const place = { ...job, run: (args: readonly string[]) => job.run(args, { environment, secrets }) };
  const output = `type: workload-identity-aws-roles-anywhere, selector: { name: ci-svid }, role_arn: '${arns.roleArn}', profile_arn: '${arns.profileArn}', trust_anchor_arn: '${arns.trustAnchorArn}', ${directory(job.destination)}`;
  const run = await runItems(newest, place, [output], '', ['--debug', '--log-format', 'json']);
  assert.equal(run.exitCode, 0, run.stderr);
  const lines = wireLines(run);
  assert.deepEqual(storyOf('IAM Roles Anywhere', lines), [...OPENED, 'https POST /sessions 201', 'closed']);
  assert.doesNotMatch(lines.map((line) => JSON.stringify(line)).join('\n'), /arn:|arn%3A/i);
});

test('install-tools logs its downloads without passwords', async (t) => {
  const server = await startReleaseServer();
  const archive = archiveOf(['tsh']);
  server.offer(ARCHIVE, archive);
  const job = await beginToolsJob(t, server);
  const address = server.url.replace('https://', 'https://reader:s3cret-word@');
  const flags = ['--tools', 'tsh', '--version', VERSION];
  const quiet = await job.install(flags, { TELEPORT_CDN_BASE_URL: address });
  assert.doesNotMatch(quiet.stderr, /debug/);
  const run = await job.install([...flags, '--dir', join(job.home, 'other'), '--debug'], {
    TELEPORT_CDN_BASE_URL: address,
  });
  assert.equal(run.exitCode, 0, run.stderr);
  const sizes = new RegExp(
    String.raw`downloads https: method GET, path /${ARCHIVE}, status 200, .*received bytes (\d+)`,
  ).exec(run.stderr);
  const [, received] = sizes ?? [];
  const headers = Number(received) - archive.length;
  assert.ok(headers > 0 && headers < 1000, `${String(received)} bytes for ${String(archive.length)}`);
  assert.doesNotMatch(run.stderr, /s3cret-word|reader/);
});

test('ssh-proxy-command logs to stderr, and stdout has only the session', async (t) => {
  const job = await beginJob(t, newest);
  assert.equal((await job.run(job.flags)).exitCode, 0);
  const node = createServer((socket) => socket.once('data', () => socket.end('pong'))).listen(0, '127.0.0.1');
  await once(node, 'listening');
  t.after(() => node.close());
  const address = node.address();
  const entry = newest.nodes.find(({ name }) => name === 'web-1');
  assert.ok(entry !== undefined && address !== null && typeof address === 'object');
  entry.port = address.port;
  const { proxy, cluster: name } = newest.info;
  const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${name}`, `--proxy-server=${proxy}`];
  const args = [BUNDLE, 'ssh-proxy-command', ...target, `--destination-dir=${job.destination}`, '--debug'];
  const child = bounded(spawn(NODE, args, { stdio: 'pipe' }));
  t.after(() => child.kill('SIGKILL'));
  child.stdin.end('ping from a client');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(stdout, 'pong', stderr);
  assert.match(stderr, / transport service tls: .*alpn h2, .*client certificate sent/);
  assert.match(
    stderr,
    / grpc: method \/teleport\.transport\.v1\.TransportService\/ProxySSH, code OK, sent messages 2, /,
  );
  assert.match(stderr, / transport service closed: /);
  assert.doesNotMatch(stderr, /ping from|pong|web-1/);
});
