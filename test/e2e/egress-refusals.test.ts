/** What a real proxy may ask for or refuse, and what is reached without it. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { arch, userInfo } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { certificatePem } from '../cluster/crypto/x509.ts';
import { ownAuthority } from '../cluster/world.ts';
import { missing, runProgram } from '../programs.ts';
import { selfSigned } from '../tls-certificate.ts';
import { directory, itemsText } from './config-file.ts';
import { beginJobAt, clusterNamed, guarded, HIDDEN, HOST } from './egress-jobs.ts';
import { SECRETS, startSquid, startTinyproxy, startTlsSquid } from './egress-proxies.ts';
import { NOWHERE } from './egress-report.ts';
import { assertRefused } from './refusal.ts';
import { startReleaseServer } from './release-server.ts';
import { SECRET_KEY, SESSION_TOKEN, startRolesAnywhere } from './roles-anywhere-server.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';
import { startTelemetryServer } from './telemetry-server.ts';
import { archiveOf } from './tools-job.ts';

const user = userInfo().username;
const ARNS = {
  trustAnchorArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/0d0c4e6b',
  profileArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:profile/1c4c1e9a',
  roleArn: 'arn:aws:iam::123456789012:role/ci-deploy',
} as const;

test(
  'downloads, AWS and telemetry go through the proxy, too, by names that only it resolves',
  { skip: missing('squid') },
  async (t) => {
    const named = await clusterNamed(t, HIDDEN);
    const { cluster, place } = named;
    const proxy = await startSquid(t, { names: [HIDDEN, 'cdn.corp.test'], login: true });
    const [releases, telemetryCertificate] = [await startReleaseServer('cdn.corp.test'), await selfSigned(HIDDEN)];
    const archive = `teleport-v18.6.0-linux-${arch() === 'arm64' ? 'arm64' : 'amd64'}-bin.tar.gz`;
    releases.offer(archive, archiveOf(['tsh']));
    const tls = { cert: telemetryCertificate.certificate, key: telemetryCertificate.key };
    const telemetry = await startTelemetryServer(t, { tls });
    const authorityPem = certificatePem(ownAuthority(cluster.world, 'spiffe').tls.certificate);
    const aws = await startRolesAnywhere(t, { ...ARNS, authorityPem, region: 'eu-central-1', host: HIDDEN });
    const job = await beginJobAt(t, named);
    const trusted = join(job.folder, 'trusted.pem');
    const pems = [await readFile(cluster.info.webCa, 'utf8'), telemetryCertificate.certificate];
    await writeFile(trusted, [...pems, await readFile(releases.trust.SSL_CERT_FILE ?? '', 'utf8')].join('\n'));
    const awsBundle = join(job.folder, 'aws.pem');
    await writeFile(awsBundle, aws.certificate);
    const guard = await guarded(job);
    const changes = {
      environment: {
        ...guard.environment,
        HTTPS_PROXY: proxy.url,
        SSL_CERT_FILE: trusted,
        AWS_ENDPOINT_URL_ROLESANYWHERE: aws.url,
        AWS_CA_BUNDLE: awsBundle,
        TELEPORT_ANONYMOUS_TELEMETRY: '1',
        TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS: telemetry.url.replace('localhost', HIDDEN),
      },
      secrets: [...SECRETS, SECRET_KEY, SESSION_TOKEN],
    };
    const settings = `role_arn: '${ARNS.roleArn}', profile_arn: '${ARNS.profileArn}', trust_anchor_arn: '${ARNS.trustAnchorArn}'`;
    const output = `type: workload-identity-aws-roles-anywhere, selector: { name: ci-svid }, ${settings}, ${directory(job.destination)}`;
    const file = await job.addFile('tbot.yaml', itemsText(cluster, [output]).replace(cluster.info.proxy, place));
    resultOf(await job.run(['run', '-c', file, '--json'], changes));
    assert.equal(aws.sessions.length, 1);
    assert.equal(telemetry.received.length, 1);
    const tools = [
      'install-tools',
      '--tools',
      'tsh',
      '--dir',
      join(job.folder, 'tools'),
      '--cdn-base-url',
      releases.url,
    ];
    const installed = await job.run([...tools, '--proxy-server', place], changes);
    assert.equal(installed.exitCode, 0, installed.stderr);
    const around = (await guard.lines()).filter((line) => line !== `connect 127.0.0.1:${proxy.port}`);
    assert.deepEqual(around, []);
    const urls = [`https://${place}`, telemetry.url, aws.url, releases.url].map((url) => new URL(url).port);
    assert.deepEqual(new Set((await proxy.targets()).map((one) => one.replace(/^.*:/, ''))), new Set(urls));
  },
);

test(
  'an https:// proxy is used if its certificate is trusted',
  { skip: missing('squid', 'ssh', 'sshd', 'ssh-keygen') },
  async (t) => {
    const named = await clusterNamed(t, HIDDEN);
    const { cluster, place } = named;
    const proxy = await startTlsSquid(t, { names: [HIDDEN], login: true });
    const job = await beginJobAt(t, named);
    const untrusted = await job.run(job.flags, { environment: { HTTPS_PROXY: proxy.url }, secrets: SECRETS });
    assertRefused(untrusted, {
      code: 'EGRESS_PROXY_FAILED',
      says: /the certificate of the HTTP proxy https:\/\/localhost:\d+ \(HTTPS_PROXY\) is not trusted: .*SELF_SIGNED/,
      hint: /SSL_CERT_FILE/,
    });
    const trusted = join(job.folder, 'trusted.pem');
    await writeFile(trusted, `${await readFile(cluster.info.webCa, 'utf8')}\n${proxy.certificate}`);
    const environment = { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: trusted };
    const run = await job.run([...job.flags, '--debug'], { environment, secrets: SECRETS });
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(
      run.stderr,
      new RegExp(
        `#\\d web API proxy: proxy https://localhost:\\d+, variable HTTPS_PROXY, target ${place}, answer 200 `,
      ),
    );
    await startNode(t, cluster, job, { name: 'web-1' });
    const args = [...sshOptions(job), `${user}@web-1.${cluster.info.cluster}`, 'echo let in'];
    const ssh = await runProgram('ssh', args, { environment: { ...environment, HOME: job.folder } });
    assert.deepEqual([ssh.stdout, ssh.exitCode], ['let in\n', 0], ssh.stderr);
  },
);

test('squid refuses: each answer has its own message', { skip: missing('squid', 'openssl') }, async (t) => {
  const named = await clusterNamed(t, HIDDEN);
  const job = await beginJobAt(t, named);
  const proxy = await startSquid(t, {
    names: [HIDDEN],
    login: true,
    ports: [Number(named.place.replace(/^.*:/, '')), 1],
  });
  const wrong = proxy.url.replace(/:[^:@]*@/, ':wrong-one@');
  const at = (place: string) => job.flags.map((flag) => (flag === named.place ? place : flag));
  for (const [url, place, says, final] of [
    [proxy.url.replace(/\/\/.*@/, '//'), named.place, /requires a user and a password \(HTTP status 407\)$/m, true],
    [wrong, named.place, /rejected the user and password \(HTTP status 407\)$/m, true],
    [proxy.url, `${HIDDEN}:2`, /does not allow connections to teleport\.corp\.test:2 \(HTTP status 403\)$/m, true],
    [proxy.url, `${HIDDEN}:1`, /cannot connect to teleport\.corp\.test:1 \(HTTP status 503\)/, false],
    [proxy.url, 'name.invalid:1', /cannot connect to name\.invalid:1 \(HTTP status 50[034]\)/, false],
  ] as const) {
    const changes = { environment: { HTTPS_PROXY: url }, secrets: [...SECRETS, 'wrong-one'] };
    const run = await job.run([...at(place), '--deadline', '3'], changes);
    assertRefused(run, { code: 'EGRESS_PROXY_FAILED', says, hint: /HTTPS_PROXY|NO_PROXY/ });
    assert.equal(run.stderr.includes('gave up after'), !final, run.stderr);
  }
  const ssh = ['ssh-proxy-command', '--user=u', '--host=h', '--port=1', '--cluster=c', `--proxy-server=${named.place}`];
  resultOf(await job.run([...job.flags, '--json'], { environment: { HTTPS_PROXY: proxy.url }, secrets: SECRETS }));
  const refused = await job.run([...ssh, `--destination-dir=${job.destination}`], {
    environment: { HTTPS_PROXY: wrong },
  });
  assert.match(
    refused.stderr,
    /^error: the HTTP proxy http:\/\/127\.0\.0\.1:\d+ \(HTTPS_PROXY\) rejected the user and/m,
  );
});

test(
  'NO_PROXY: the server is reached directly, and the proxy is asked for nothing',
  { skip: missing('tinyproxy') },
  async (t) => {
    const named = await clusterNamed(t, HOST);
    const proxy = await startTinyproxy(t);
    const [host = '', port = ''] = named.place.split(':');
    for (const [entries, isDirect] of [
      [host, true],
      [`a.example.com, ${host.toLowerCase()}:${port}`, true],
      ['*', true],
      [`.${host}`, false],
      [`${host}:1`, false],
      [`a.example.com ${host}`, false],
      ['127.0.0.1', false],
    ] as const) {
      const job = await beginJobAt(t, named);
      const guard = await guarded(job);
      // With that variable, Node 24 and later would apply rules of its own to its own agents.
      const own = { NODE_USE_ENV_PROXY: '1' };
      const environment = { ...guard.environment, ...own, HTTPS_PROXY: proxy.url, NO_PROXY: entries };
      const before = (await proxy.targets()).length;
      resultOf(await job.run([...job.flags, '--json'], { environment, secrets: SECRETS }));
      assert.equal((await proxy.targets()).length > before, !isDirect, entries);
      const lines = await guard.lines();
      assert.equal(lines.includes(`connect 127.0.0.1:${proxy.port}`), !isDirect, entries);
      assert.equal(lines.includes(`lookup ${host}`), isDirect, entries);
    }
  },
);

test('doctor --egress tries each connection through the proxy', { skip: missing('squid') }, async (t) => {
  const named = await clusterNamed(t, HIDDEN);
  const job = await beginJobAt(t, named);
  const proxy = await startSquid(t, { names: [HIDDEN] });
  const changes = { environment: { HTTPS_PROXY: proxy.url } };
  const { stdout, exitCode } = await job.run(['doctor', '--egress', ...NOWHERE, ...job.flags.slice(1)], changes);
  assert.equal(exitCode, 0, stdout);
  assert.match(stdout, /^Every connection that the job needs is open\.$/m);
  assert.match(stdout, new RegExp(`^   Route: through the HTTP proxy ${proxy.url} \\(HTTPS_PROXY\\)$`, 'm'));
  assert.match(stdout, /^1 +closed +in some jobs/m, 'the address of the downloads is always reached directly');
});
