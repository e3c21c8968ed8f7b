import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'node:test';
import type { Faults } from '../cluster/faults.ts';
import type { RequestKind } from '../cluster/records.ts';
import { directory, itemsText } from './config-file.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { listing, placeStandingFiles } from './folder-listing.ts';
import { beginJob } from './job.ts';
import { assertRefused } from './refusal.ts';

const cluster = await clusterForFile();

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

for (const [signal, kind] of [
  ['SIGTERM', 'ping'],
  ['SIGTERM', 'join-service'],
  ['SIGTERM', 'rpc:/proto.AuthService/GetRole'],
  ['SIGTERM', 'rpc:/proto.AuthService/GenerateUserCerts'],
  ['SIGINT', 'rpc:/proto.AuthService/GenerateUserCerts'],
  ['SIGHUP', 'rpc:/proto.AuthService/GenerateUserCerts'],
] satisfies (readonly [NodeJS.Signals, RequestKind])[]) {
  test(`${signal} during ${kind} ends the run at once and keeps the previous files`, async (t) => {
    const job = await beginJob(t, cluster);
    const replies: Faults['replies'] = {};
    replies[kind] = 'silent';
    misbehave(t, cluster, { replies });
    await placeStandingFiles(job.destination);
    const before = await listing(job.destination);
    const { child, finished } = job.start(job.flags);
    await until(() => cluster.records.of(kind).length > 0 || child.exitCode !== null);
    const startMs = performance.now();
    child.kill(signal);
    const run = await finished;
    assert.ok(performance.now() - startMs < 3_000, 'a waiting request does not hold the process');
    assertRefused(run, {
      code: 'INTERRUPTED',
      says: new RegExp(`interrupted by ${signal}`),
      hint: /all of its old files or all of its new ones/,
    });
    assert.deepEqual(await listing(job.destination), before);
  });
}

test('SIGTERM ends the run, whatever error it causes', async (t) => {
  const job = await beginJob(t, cluster);
  const outputs = ['a', 'b'].map((name) => `type: identity, ${directory(join(job.folder, name))}`);
  const file = await job.addFile('tbot.yaml', itemsText(cluster, outputs));
  misbehave(t, cluster, { replies: { 'rpc:/proto.AuthService/GenerateUserCerts': 'silent' } });
  const { child, finished } = job.start(['run', '--config', file, '--report', 'page.html']);
  await until(() => cluster.records.of('rpc:/proto.AuthService/GenerateUserCerts').length > 1);
  child.kill('SIGTERM');
  assertRefused(await finished, { code: 'INTERRUPTED', says: /interrupted by SIGTERM/ });
  assert.match(await readFile(join(job.checkout, 'page.html'), 'utf8'), /INTERRUPTED/);
});

test('a second signal ends the process at once, and a hung agent of CircleCI with it', async (t) => {
  const job = await beginJob(t, cluster);
  const agent = `trap 'touch "$HOME/asked"' TERM; echo $$ >"$HOME/agent"; while :; do sleep 20 & wait; done`;
  await job.addProgram('circleci-agent', agent);
  const { child, finished } = job.start(job.flags, { environment: { CIRCLE_OIDC_TOKEN: undefined } });
  await until(() => existsSync(join(job.folder, 'agent')) || child.exitCode !== null);
  child.kill('SIGTERM');
  await until(() => existsSync(join(job.folder, 'asked')) || child.exitCode !== null);
  const startMs = performance.now();
  child.kill('SIGINT');
  const { exitCode } = await finished;
  assert.equal(exitCode, null);
  assert.equal(child.signalCode, 'SIGINT');
  assert.ok(performance.now() - startMs < 400, 'the grace of the agent is not waited for');
  // It was sent SIGKILL, which a busy machine carries out a little later.
  const running = `/proc/${(await readFile(join(job.folder, 'agent'), 'utf8')).trim()}/exe`;
  await until(() => !existsSync(running));
});

test('SIGTERM does not wait for an agent of CircleCI that hangs, and ends what it started', async (t) => {
  const job = await beginJob(t, cluster);
  await job.addProgram('circleci-agent', 'touch "$HOME/asked"; sleep 20; echo never');
  const { child, finished } = job.start(job.flags, { environment: { CIRCLE_OIDC_TOKEN: undefined } });
  while (!existsSync(join(job.folder, 'asked')) && child.exitCode === null) await delay(5);
  const startMs = performance.now();
  child.kill('SIGTERM');
  assertRefused(await finished, { code: 'INTERRUPTED', says: /interrupted by SIGTERM/ });
  assert.ok(performance.now() - startMs < 3_000);
  assert.deepEqual(cluster.records.all, []);
});
