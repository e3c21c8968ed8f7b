import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { bounded } from '../programs.ts';
import { BUNDLE, NODE } from './run-bundle.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();
const CHUNK = randomBytes(64 * 1024);
const CHUNKS = 1024;

/** Stands in for sshd in tests that only compare bytes. */
async function startPeer(t: TestContext, serve: (socket: Socket) => void): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const node = cluster.nodes.find(({ name }) => name === 'web-1');
  assert.ok(node !== undefined && address !== null && typeof address === 'object');
  node.port = address.port;
  t.after(() => server.close());
}

/** What OpenSSH would show its user. */
function collect(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return () => text;
}

async function startProxyCommand(t: TestContext) {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const { proxy, cluster: name } = cluster.info;
  const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${name}`, `--proxy-server=${proxy}`];
  const args = [BUNDLE, 'ssh-proxy-command', ...target, `--destination-dir=${job.destination}`];
  const child = bounded(spawn(NODE, args, { stdio: ['pipe', 'pipe', 'pipe'] }));
  t.after(() => child.kill('SIGKILL'));
  return { child, said: collect(child.stderr) };
}

test('the end of input reaches the node, whose response still arrives unchanged', async (t) => {
  const expected = createHash('sha256');
  for (let sent = 0; sent < CHUNKS; sent += 1) expected.update(CHUNK);
  await startPeer(t, (socket) => {
    const seen = createHash('sha256');
    socket.on('data', (bytes) => seen.update(bytes)).once('end', () => socket.end(seen.digest('hex')));
  });
  const { child, said } = await startProxyCommand(t);
  Readable.from(
    (function* () {
      for (let sent = 0; sent < CHUNKS; sent += 1) yield CHUNK;
    })(),
  ).pipe(child.stdin);
  const answer = collect(child.stdout);
  await once(child, 'close');
  assert.equal(child.exitCode, 0);
  assert.equal(answer(), expected.digest('hex'));
  assert.equal(said(), '');
});

test('a node that sends faster than it is read waits', async (t) => {
  let sent = 0;
  await startPeer(t, (socket) => {
    const more = () => {
      while (sent < CHUNKS) {
        sent += 1;
        if (!socket.write(CHUNK)) {
          socket.once('drain', more);
          return;
        }
      }
      socket.end();
    };
    more();
  });
  const { child, said } = await startProxyCommand(t);
  const seen = createHash('sha256');
  await once(child.stdout, 'readable');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(sent < CHUNKS / 2, `${sent} of ${CHUNKS} chunks were taken in although nobody reads them`);
  child.stdout.on('data', (bytes: Buffer) => seen.update(bytes));
  await once(child, 'close');
  assert.equal(child.exitCode, 0);
  assert.equal(said(), '');
  const expected = createHash('sha256');
  for (let chunk = 0; chunk < CHUNKS; chunk += 1) expected.update(CHUNK);
  assert.equal(seen.digest('hex'), expected.digest('hex'));
});

test('the command ends silently when OpenSSH exits', async (t) => {
  await startPeer(t, (socket) => {
    socket.on('error', () => undefined);
    const timer = setInterval(() => socket.write(CHUNK), 20);
    socket.once('close', () => {
      clearInterval(timer);
    });
  });
  const { child, said } = await startProxyCommand(t);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  await once(child, 'close');
  assert.equal(said(), '');
  assert.equal(child.exitCode, 0);
});
