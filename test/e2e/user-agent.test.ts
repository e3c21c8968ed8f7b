/**
 * Every gRPC call and HTTP request contains the program's name and version, so that administrators find it in their
 * logs.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { startReleaseServer } from './release-server.ts';
import { resultOf } from './run-result.ts';
import { ARCHIVE, archiveOf, beginToolsJob, VERSION } from './tools-job.ts';

const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile('package.json', 'utf8')));
const EXPECTED = `machine-id/${version}`;

/** The kinds of HTTP requests; the others are gRPC connections. */
function requestsOf({ records }: Cluster) {
  return records.all.filter(({ kind, listener }) => kind !== 'connection' && listener !== 'issuer');
}

function assertNamed(cluster: Cluster, ...kinds: readonly string[]): void {
  const requests = requestsOf(cluster);
  for (const { kind, userAgent } of requests) assert.equal(userAgent, EXPECTED, kind);
  for (const kind of kinds)
    assert.ok(
      requests.some((request) => request.kind === kind),
      `${kind} was not asked for`,
    );
}

test('a run, its join and its calls have a user agent, with both ways of joining', async (t) => {
  const dir = await directoryFor(t);
  for (const [teleport, join] of [
    ['18.6.0', 'join-service'],
    ['15.3.7', 'legacy-join'],
  ] as const) {
    const cluster = await clusterIn(dir, t, { teleport });
    const job = await beginJob(t, cluster);
    resultOf(await job.run([...job.flags, '--json']));
    assertNamed(cluster, 'ping', join, 'rpc:/proto.AuthService/Ping', 'rpc:/proto.AuthService/GenerateUserCerts');
  }
});

test('an SSH connection has a user agent', async (t) => {
  const cluster = await clusterIn(await directoryFor(t), t, {});
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${cluster.info.cluster}`];
  const proxy = [`--proxy-server=${cluster.info.proxy}`, `--destination-dir=${job.destination}`];
  // No node is started, because only the call matters.
  await job.run(['ssh-proxy-command', ...target, ...proxy]);
  assertNamed(cluster, 'proxy-ssh');
});

test('downloads have a user agent', async (t) => {
  const server = await startReleaseServer();
  server.offer(ARCHIVE, archiveOf(['tsh'], randomBytes(1000)));
  const job = await beginToolsJob(t, server);
  const { exitCode, stderr } = await job.install(['--tools', 'tsh', '--version', VERSION]);
  assert.equal(exitCode, 0, stderr);
  assert.ok(server.userAgents.length >= 2);
  for (const userAgent of server.userAgents) assert.equal(userAgent, EXPECTED);
});
