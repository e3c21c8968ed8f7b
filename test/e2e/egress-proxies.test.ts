/** Commands through real proxies: nothing goes around them, and no name is looked up. */
import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import test, { type TestContext } from 'node:test';
import { missing, runProgram } from '../programs.ts';
import { beginJobAt, clusterNamed, guarded, HIDDEN, HOST } from './egress-jobs.ts';
import { type RealProxy, SECRETS, startDante, startMicrosocks, startSquid, startTinyproxy } from './egress-proxies.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const user = userInfo().username;

interface Kind {
  readonly name: string;
  readonly programs: readonly string[];
  readonly start: (t: TestContext) => Promise<RealProxy>;
  readonly host: string;
  readonly variable: string;
  /** As the proxy logs the target. */
  readonly logged?: string;
}

const KINDS: readonly Kind[] = [
  {
    name: 'squid',
    programs: ['squid'],
    start: (t) => startSquid(t, { names: [HIDDEN] }),
    host: HIDDEN,
    variable: 'HTTPS_PROXY',
  },
  {
    name: 'squid with a login',
    programs: ['squid', 'openssl'],
    start: (t) => startSquid(t, { names: [HIDDEN], login: true }),
    host: HIDDEN,
    variable: 'https_proxy',
  },
  {
    name: 'tinyproxy with a login',
    programs: ['tinyproxy'],
    start: startTinyproxy,
    host: HOST,
    variable: 'HTTP_PROXY',
  },
  {
    name: 'microsocks with a login',
    programs: ['microsocks'],
    start: startMicrosocks,
    host: HOST,
    variable: 'ALL_PROXY',
  },
  { name: 'dante', programs: ['danted'], start: startDante, host: HOST, variable: 'HTTPS_PROXY', logged: '127.0.0.1' },
];

for (const [at, { host, logged = host, name, programs, start, variable }] of KINDS.entries()) {
  const teleport = at % 2 === 0 ? '18.6.0' : '15.3.7';
  test(
    `Teleport ${teleport} through ${name}: run, ssh and doctor`,
    { skip: missing(...programs, 'ssh', 'sshd', 'ssh-keygen') },
    async (t) => {
      const named = await clusterNamed(t, host, teleport);
      const { cluster, place } = named;
      const target = place.replace(host, logged);
      const proxy = await start(t);
      const job = await beginJobAt(t, named);
      const guard = await guarded(job);
      const environment = { [variable]: proxy.url };
      const changes = { environment: { ...environment, ...guard.environment }, secrets: SECRETS };

      resultOf(await job.run([...job.flags, '--json'], changes));
      assert.ok((await proxy.targets()).length >= 2);

      const doctor = await job.run(['doctor', ...job.flags.slice(1)], changes);
      assert.equal(doctor.exitCode, 0, doctor.stdout);
      const shown = proxy.url.replace(/\/\/.*@/, '//').replace('socks5h', 'socks5');
      assert.ok(doctor.stdout.includes(` proxy ${shown} (${variable})`), doctor.stdout);

      const around = (await guard.lines()).filter((line) => line !== `connect 127.0.0.1:${proxy.port}`);
      assert.deepEqual(around, [], 'nothing else is connected or looked up');

      await startNode(t, cluster, job, { name: 'web-1' });
      const own = cluster.info.cluster;
      const args = [...sshOptions(job), `${user}@web-1.${own}`, 'echo let in'];
      const before = (await proxy.targets()).length;
      const ssh = await runProgram('ssh', args, { environment: { ...environment, HOME: job.folder } });
      assert.deepEqual([ssh.stdout, ssh.exitCode], ['let in\n', 0], ssh.stderr);
      const targets = await proxy.targets();
      assert.ok(targets.length > before || name.startsWith('squid'), 'squid logs a tunnel when it is closed');
      assert.deepEqual([...new Set(targets)], [target]);
    },
  );
}
