/** Transfers 1 GiB each way with our ssh_config to a real sshd: unchanged, and with little memory. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import test, { type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { bounded, FILE_MS, missing, program } from '../programs.ts';
import { watchProxyMemory } from './proxy-memory.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const MEBIBYTE = 1024 * 1024;
const MEBIBYTES = 1024;
const MOST_MEMORY_KIB = 150 * 1024;
/** A session that hangs must not block the suite; a slow machine takes about 30 s for 1 GiB. */
const options = { skip: missing('ssh', 'sshd', 'ssh-keygen', 'openssl'), timeout: 75_000 };

const user = userInfo().username;
const cluster = await clusterForFile({ extraLogins: [user] });

/** The same bytes in Node and in openssl, in blocks that all differ, so that a lost or swapped block is detected. */
const KEY = '000102030405060708090a0b0c0d0e0f';
const IV = '00000000000000000000000000000000';
const PRODUCE = `openssl enc -aes-128-ctr -K ${KEY} -iv ${IV} -in /dev/zero 2>/dev/null | head -c ${String(MEBIBYTES * MEBIBYTE)}`;

function* produce(): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.from(KEY, 'hex'), Buffer.from(IV, 'hex'));
  const zeros = Buffer.alloc(MEBIBYTE);
  for (let made = 0; made < MEBIBYTES; made += 1) yield cipher.update(zeros);
}

const digest = createHash('sha256');
for (const block of produce()) digest.update(block);
const EXPECTED = digest.digest('hex');

async function beginWithNode(t: TestContext): Promise<Job> {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  await startNode(t, cluster, job, { name: 'web-1' });
  return job;
}

function startSsh(t: TestContext, job: Job, command: string) {
  // ssh's own work is not measured.
  const fast = ['-o', 'Ciphers=aes128-gcm@openssh.com', '-o', 'Compression=no'];
  const args = [...sshOptions(job), ...fast, `${user}@web-1.${cluster.info.cluster}`, command];
  const child = bounded(spawn(program('ssh'), args, { stdio: ['pipe', 'pipe', 'inherit'] }), FILE_MS);
  t.after(() => child.kill());
  return child;
}

async function assertSmall(t: TestContext, memory: () => Promise<number>, startMs: number): Promise<void> {
  const mostKib = await memory();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  t.diagnostic(`${seconds} s, most memory of the proxy command ${String(Math.round(mostKib / 1024))} MiB`);
  assert.ok(mostKib > 0 && mostKib < MOST_MEMORY_KIB, `${String(mostKib)} KiB`);
}

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

test('1 GiB reaches a node unchanged, and the proxy command needs little memory', options, async (t) => {
  const job = await beginWithNode(t);
  const startMs = performance.now();
  const ssh = startSsh(t, job, 'sha256sum');
  const memory = watchProxyMemory(job);
  const answer = ssh.stdout.setEncoding('utf8').toArray();
  await pipeline(Readable.from(produce()), ssh.stdin);
  assert.equal((await answer).join('').split(' ')[0], EXPECTED);
  assert.equal(await exitCodeOf(ssh), 0);
  await assertSmall(t, memory, startMs);
});

test('1 GiB arrives from a node unchanged, and the proxy command needs little memory', options, async (t) => {
  const job = await beginWithNode(t);
  const startMs = performance.now();
  const ssh = startSsh(t, job, PRODUCE);
  const memory = watchProxyMemory(job);
  ssh.stdin.end();
  const seen = createHash('sha256');
  await pipeline(ssh.stdout, seen);
  assert.equal(seen.digest('hex'), EXPECTED);
  assert.equal(await exitCodeOf(ssh), 0);
  await assertSmall(t, memory, startMs);
});
