/** kill -9 of a step that starts a tunnel, and of a tunnel that listens at Unix sockets: nothing is left that disturbs what follows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, get, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { directory, itemsText } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { hasEnded } from './ended-process.ts';
import { modeOf } from './folder-listing.ts';
import { beginTunnelJob, type TunnelJob } from './tunnel-job.ts';

const skip = process.platform === 'linux' ? false : 'looks at Linux';
const cluster = await clusterForFile({ gate: true });
const { gate } = cluster;
assert.ok(gate !== undefined);

const server = createServer((_request, response) => response.end('dashboard')).listen(0, '127.0.0.1');
after(() => server.close());
await once(server, 'listening');
const [address, dashboard] = [
  server.address(),
  cluster.resources.applications.find(({ name }) => name === 'dashboard'),
];
assert.ok(dashboard !== undefined && typeof address === 'object' && address !== null);
dashboard.port = address.port;

const DASHBOARD = ['--application', 'dashboard'];

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    assert.ok(tries < 1000, what);
    await delay(20);
  }
}

/** Waits until no process of the job has tunnels. */
async function killTunnels(job: TunnelJob): Promise<void> {
  const running = job.processes();
  assert.equal(running.length, 1);
  for (const id of running) process.kill(id, 'SIGKILL');
  await until(() => running.every(hasEnded), 'it was killed');
}

async function cleaned(job: TunnelJob): Promise<void> {
  const { exitCode, stderr } = await job.run(['cleanup']);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(readdirSync(join(job.folder, '.teleport-machine-id')), []);
}

async function textAt(socketPath: string): Promise<string> {
  const events = await once(get({ socketPath, path: '/' }), 'response');
  const answer: unknown = events[0];
  assert.ok(answer instanceof IncomingMessage);
  return (await answer.setEncoding('utf8').toArray()).join('');
}

test(
  'after kill -9 of a step whose tunnel is starting, no process is left, and the next start works',
  { skip },
  async (t) => {
    const job = await beginTunnelJob(t, cluster);
    const state = join(job.folder, '.teleport-machine-id');
    gate.delayMs = 400;
    t.after(() => (gate.delayMs = 0));
    const { child, finished } = job.start([...job.openArgs, ...DASHBOARD]);
    await until(
      () => job.processes().length === 1 && readdirSync(state).some((name) => name.endsWith('.pid')),
      'it starts',
    );
    child.kill('SIGKILL');
    await finished;
    await until(() => job.processes().length === 0, 'it ended with the step');
    assert.deepEqual(
      readdirSync(state).filter((name) => name.endsWith('.new')),
      [],
    );
    gate.delayMs = 0;
    const { exitCode, stderr } = await job.open(DASHBOARD);
    assert.equal(exitCode, 0, stderr);
    assert.equal(job.processes().length, 1);
    await cleaned(job);
    assert.deepEqual(job.processes(), []);
  },
);

test(
  'the socket of a tunnel that was killed is replaced by the next start, or removed by cleanup',
  { skip },
  async (t) => {
    const job = await beginTunnelJob(t, cluster);
    const socket = join(job.folder, 'dashboard.sock');
    const open = async () => {
      const { exitCode, stderr } = await job.open([...DASHBOARD, '--listen', `unix://${socket}`]);
      assert.equal(exitCode, 0, stderr);
      assert.equal(await modeOf(socket), '0600');
      assert.equal(await textAt(socket), 'dashboard');
    };
    await open();
    await killTunnels(job);
    assert.ok(existsSync(socket));
    await open();
    await killTunnels(job);
    await cleaned(job);
    assert.ok(!existsSync(socket));
  },
);

test('so are those of an ssh-multiplexer, with its files', { skip }, async (t) => {
  const job = await beginTunnelJob(t, cluster);
  const folder = join(job.folder, 'mux');
  const file = await job.addFile('tbot.yaml', itemsText(cluster, [`type: ssh-multiplexer, ${directory(folder)}`]));
  const open = async () => {
    const { exitCode, stderr } = await job.run(['tunnel', '--config', file]);
    assert.equal(exitCode, 0, stderr);
  };
  const files = ['agent.sock', 'known_hosts', 'ssh_config', 'v1.sock'];
  await open();
  await killTunnels(job);
  assert.deepEqual(readdirSync(folder).sort(), files);
  await open();
  assert.deepEqual(readdirSync(folder).sort(), files);
  await killTunnels(job);
  await cleaned(job);
  assert.ok(!existsSync(folder));
});
