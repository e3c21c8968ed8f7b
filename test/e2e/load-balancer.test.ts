/** The Proxy behind load balancers that terminate TLS: connections are upgraded, or the error says what the balancer must forward. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { startHaproxy } from './haproxy.ts';
import { beginJob } from './job.ts';
import { startNginxProxy } from './nginx.ts';
import { missing, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';
import {
  startHttp2Terminator,
  startTlsTerminator,
  startUnofferedChoice,
  type TlsTerminator,
} from './tls-terminator.ts';

const authorities = await directoryFor({ after });
const user = userInfo().username;

interface Balancer {
  readonly what: string;
  readonly start: (t: TestContext, behind: string) => Promise<TlsTerminator>;
  readonly program?: 'nginx' | 'haproxy';
}

const nginx = (http2: boolean, upgrades: boolean): Balancer => ({
  what: `nginx, ${http2 ? 'with HTTP/2' : 'HTTP/1.1 alone'}`,
  start: (t, behind) => startNginxProxy(t, { behind, http2, upgrades }),
  program: 'nginx',
});

const haproxy = (...alpn: string[]): Balancer => ({
  what: `HAProxy with ALPN ${alpn.join(', ')}`,
  start: (t, behind) => startHaproxy(t, { behind, alpn }),
  program: 'haproxy',
});

const WITH_WEBSOCKET: readonly Balancer[] = [
  // scenes.ts has nginx with HTTP/2 and HAProxy without ALPN.
  nginx(false, true),
  haproxy('h2', 'http/1.1'),
  {
    what: 'one that refuses other ALPN protocols than HTTP/1.1',
    start: (t, behind) => startTlsTerminator(t, { behind, speaks: ['http/1.1'] }),
  },
  { what: 'one that chooses no ALPN protocol', start: (t, behind) => startTlsTerminator(t, { behind }) },
  {
    what: 'one that chooses an ALPN protocol that was not offered',
    start: (t, behind) => startUnofferedChoice(t, { behind }),
  },
];

describe('behind a load balancer that forwards WebSocket, everything is reached by connection upgrades:', () => {
  for (const [at, { what, start, program }] of WITH_WEBSOCKET.entries()) {
    const teleport = at % 2 === 0 ? '18.6.0' : '15.3.7';
    const skip = missing(...(program === undefined ? [] : [program]), 'sshd', 'ssh', 'ssh-keygen');
    test(`${what} (Teleport ${teleport})`, { skip }, async (t) => {
      const { cluster, job, flags, certificate } = await scene(t, { start, teleport });
      const run = await job.run([...flags, '--json'], BY_THE_BALANCER);
      assert.equal(resultOf(run).outputs[0]?.type, 'identity');
      assert.match(
        run.stderr,
        /^a load balancer at localhost:\d+ terminates TLS: connections are upgraded to pass it$/m,
      );
      const config = await readFile(join(job.destination, 'ssh_config'), 'utf8');
      assert.ok(config.includes(`--connection-upgrade --ca-file='${certificate}'`), config);
      await startNode(t, cluster, job, { name: 'web-1' });
      const host = `${user}@web-1.${cluster.info.cluster}`;
      const ssh = await runProgram('ssh', [...sshOptions(job), host, 'echo let in']);
      assert.equal(ssh.stdout, 'let in\n', ssh.stderr);
      // Only upgraded connections can have brought these: everything else ended at the balancer.
      const kinds = new Set<string>(cluster.records.kinds);
      for (const kind of ['connection-upgrade', 'rpc:/proto.AuthService/GenerateUserCerts', 'proxy-ssh'])
        assert.ok(kinds.has(kind), kind);
    });
  }
});

const WITHOUT_WEBSOCKET: readonly Balancer[] = [
  ...(['forwards', 'refuses', 'page', 'goes-away'] as const).map((manner) => ({
    what: `one that speaks HTTP/2 and HTTP/1.1 (${manner})`,
    start: (t: TestContext, behind: string) => startHttp2Terminator(t, { behind, manner }),
  })),
  nginx(true, false),
  nginx(false, false),
];

describe('behind a load balancer without WebSocket, the join succeeds and the error says what to forward:', () => {
  for (const { what, start, program } of WITHOUT_WEBSOCKET) {
    const skip = program === undefined ? false : missing(program);
    test(what, { skip }, async (t) => {
      const { cluster, job, flags } = await scene(t, { start, teleport: '18.6.0' });
      const run = await job.run(flags);
      assert.match(run.stderr, /joined as bot \S+ by the registration endpoint/);
      assertRefused(run, {
        code: 'UPGRADE_REFUSED',
        says: /^the load balancer at localhost:\d+ terminates TLS, and the upgrade of a connection through it was refused: the response has status 400, expected 101/,
        hint: /forward \/webapi\/connectionupgrade with its headers Upgrade, Connection and Sec-WebSocket-\* to the Proxy.*layer 4/,
      });
      assert.match(run.stderr, /the load balancer removes the header Upgrade/);
      assert.doesNotMatch(run.stderr, /error:0|routines|\.c:\d/);
      assert.deepEqual(
        cluster.records.kinds.filter((kind) => kind.startsWith('rpc:')),
        [],
      );
    });
  }
});

test(
  'ssh_config of a run in another network gets through a balancer, too',
  { skip: missing('sshd', 'ssh') },
  async (t) => {
    const { address, cluster, job, certificate } = await scene(t, {
      teleport: '18.6.0',
      start: (owner, behind) => startTlsTerminator(owner, { behind }),
    });
    resultOf(await job.run([...job.flags, '--json']));
    const file = join(job.destination, 'ssh_config');
    const config = await readFile(file, 'utf8');
    assert.ok(config.includes('--no-connection-upgrade'), config);
    await writeFile(file, config.replaceAll(cluster.info.proxy, address));
    await startNode(t, cluster, job, { name: 'web-1' });
    const host = `${user}@web-1.${cluster.info.cluster}`;
    const ssh = await runProgram('ssh', [...sshOptions(job), host, 'echo let in'], {
      environment: { NODE_EXTRA_CA_CERTS: certificate },
    });
    assert.equal(ssh.stdout, 'let in\n', ssh.stderr);
  },
);

test('TELEPORT_TLS_ROUTING_CONN_UPGRADE decides in place of the test', async (t) => {
  const { cluster, job, flags } = await scene(t, {
    teleport: '18.6.0',
    start: (owner, behind) => startTlsTerminator(owner, { behind }),
  });
  const variable = (value: string) => ({ environment: { TELEPORT_TLS_ROUTING_CONN_UPGRADE: value } });
  const forced = await job.run([...flags, '--json'], variable('other.example.com=false,true'));
  assert.equal(resultOf(forced).outputs[0]?.type, 'identity');
  assert.doesNotMatch(forced.stderr, /a load balancer/, 'it was not tested');
  const forbidden = await job.run(flags, variable('false'));
  assertRefused(forbidden, {
    code: 'AUTH_UNTRUSTED',
    says: /something in between terminates TLS[^]*\n {2}1\. TELEPORT_TLS_ROUTING_CONN_UPGRADE forbids [^]*\n {2}2\. another server answered: its certificate is for localhost, signed by localhost\n/,
    hint: /^Unset TELEPORT_TLS_ROUTING_CONN_UPGRADE: /,
  });
  assert.equal(cluster.records.of('connection-upgrade').length > 0, true);
});

/** The Proxy does not know the balancer's address, so that files would name the Proxy's own. */
const BY_THE_BALANCER = { environment: { TBOT_USE_PROXY_ADDR: 'yes' } };

/** A cluster behind the balancer, and a job that knows it by the balancer's address. */
async function scene(t: TestContext, { start, teleport }: Pick<Balancer, 'start'> & { readonly teleport: string }) {
  const cluster = await clusterIn(authorities, t, { teleport, extraLogins: [user] });
  const balancer = await start(t, cluster.info.proxy);
  const job = await beginJob(t, cluster);
  const certificate = join(job.folder, 'balancer.pem');
  await writeFile(certificate, balancer.certificate);
  const place = ['--proxy-server', balancer.address, '--ca-file', certificate];
  const flags = ['run', ...place, '--token', cluster.info.joinToken, '--destination', job.destination];
  return { address: balancer.address, cluster, job, flags, certificate };
}
