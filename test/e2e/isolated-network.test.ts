/** Nothing but the proxy can be reached: whatever went around it would fail. */
import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import test from 'node:test';
import { missing, runProgram } from '../programs.ts';
import { cannotMount } from '../small-disk.ts';
import { beginJobAt, clusterNamed, HIDDEN } from './egress-jobs.ts';
import { SECRETS, startSquid } from './egress-proxies.ts';
import { isolatedNetwork } from './isolated-network.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const user = userInfo().username;
const skip = cannotMount ?? missing('squid', 'socat', 'unshare', 'setpriv', 'ip', 'ssh', 'sshd', 'ssh-keygen');

test('in a network with nothing but a proxy, run, doctor and ssh work', { skip }, async (t) => {
  const named = await clusterNamed(t, HIDDEN);
  const { cluster } = named;
  const proxy = await startSquid(t, { names: [HIDDEN], login: true });
  const within = await isolatedNetwork(t, { port: proxy.port });
  const job = await beginJobAt(t, named);
  const flags = [...job.flags, '--no-export'];

  const direct = await job.run([...flags, '--deadline', '1'], { within });
  assertRefused(direct, { code: 'PROXY_UNREACHABLE', says: /cannot resolve/, hint: /runner that can resolve it/ });
  assert.match(direct.stderr, /HTTPS_PROXY/);

  const changes = { within, environment: { HTTPS_PROXY: proxy.url }, secrets: SECRETS };
  resultOf(await job.run([...flags, '--json'], changes));
  const doctor = await job.run(['doctor', ...job.flags.slice(1)], changes);
  assert.equal(doctor.exitCode, 0, doctor.stdout);

  await startNode(t, cluster, job, { name: 'web-1' });
  const [unshare, ...before] = within;
  const args = [...before, 'ssh', ...sshOptions(job), `${user}@web-1.${cluster.info.cluster}`, 'echo let in'];
  const environment = { HTTPS_PROXY: proxy.url, HOME: job.folder };
  const ssh = await runProgram(unshare, args, { environment });
  assert.deepEqual([ssh.stdout, ssh.exitCode], ['let in\n', 0], ssh.stderr);
});
