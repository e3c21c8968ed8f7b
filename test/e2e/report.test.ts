import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { z } from 'zod';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

const PHASES = ['config', 'oidcToken', 'discovery', 'join', 'auth', 'certificates', 'write'];

test('--json prints one object with the documented keys, in order', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags, '--json']);
  const { auditQuery = '', botInstanceId = 'none', timingsMs, spans, outputs, ...rest } = resultOf(run);
  assert.ok(auditQuery.includes(botInstanceId));
  assert.deepEqual(rest, {
    cluster: 'example.teleport.test',
    clusterVersion: '18.6.0',
    bot: 'ci',
    engine: 'native',
    joinMethod: 'circleci',
    joinPath: 'join-service',
  });
  assert.deepEqual(Object.keys(z.record(z.string(), z.unknown()).parse(JSON.parse(run.stdout))), [
    'cluster',
    'clusterVersion',
    'bot',
    'botInstanceId',
    'auditQuery',
    'engine',
    'joinMethod',
    'joinPath',
    'outputs',
    'timingsMs',
    'spans',
  ]);
  assert.deepEqual(
    outputs.map((output) => Object.keys(output)),
    [['path', 'type', 'destination', 'files', 'roles', 'logins', 'expiresAt']],
  );
  assert.match(outputs[0]?.expiresAt ?? '', /^2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(Object.keys(timingsMs).sort(), [...PHASES, 'total'].sort());
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['Configuration', 'OIDC token', 'Destinations', 'Discovery', 'Join', 'Keys', 'Auth Service', 'identity'],
  );
  const { total = 0, ...phases } = timingsMs;
  for (const [phase, endMs] of Object.entries(phases)) assert.ok(endMs <= total, phase);
  for (const { endMs, name, startMs } of spans) assert.ok(startMs <= endMs && endMs <= total, name);
});

test('with --json, there is no summary, and progress is printed to stderr', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags, '--json']);
  resultOf(run);
  for (const line of run.stderr.trimEnd().split('\n')) assert.match(line, /^\[ *\d+ ms\] \S/);
});

test('each phase is logged with its duration when it ends', async (t) => {
  const job = await beginJob(t, cluster);
  const { exitCode, stderr } = await job.run(job.flags);
  assert.equal(exitCode, 0, stderr);
  const lines = stderr.split('\n\n')[0]?.split('\n') ?? [];
  const [times, messages] = [
    lines.map((line) => Number(/^\[ *(\d+) ms\] /.exec(line)?.[1])),
    lines.map((line) => line.replace(/^\[ *\d+ ms\] /, '')),
  ];
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.deepEqual(messages, [
    `configuration read: 1 output, Proxy ${cluster.info.proxy}`,
    `OIDC token from CIRCLE_OIDC_TOKEN: project ${cluster.info.projectId}, 1 context`,
    'cluster example.teleport.test, Teleport 18.6.0',
    'joined as bot ci by the join service',
    'connected to the Auth Service',
  ]);
});

test('the summary shows cluster, bot, files, roles, expiry and exports', async (t) => {
  const job = await beginJob(t, cluster);
  const { stdout, stderr } = await job.run(job.flags);
  assert.equal(stdout, '');
  const summary = stderr.slice(stderr.indexOf('\n\n') + 2);
  for (const line of [
    /^Wrote 1 output for example\.teleport\.test \(Teleport 18\.6\.0\) through localhost:\d+ in \d+ ms$/m,
    /^ {2}bot +ci$/m,
    /^ {2}exported +TELEPORT_PROXY, .*, MACHINE_ID_EXPIRES_AT$/m,
    /^ {2}output +type +for +until +written$/m,
    /^ {2}--destination +identity +roles access, deployer; logins root, ci, deploy +2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ +\/.*/m,
    new RegExp(`Z  ${job.destination} \\(14 files\\)$`, 'm'),
  ]) {
    assert.match(summary, line);
  }
  assert.equal(stderr.match(/joined/gi)?.length, 1, 'the join is reported once');
  assert.ok(!stderr.includes(job.bashEnv));
  assert.doesNotMatch(stderr, /write-test|\(s\)/);
});

test('log lines are JSON objects if requested', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags, '--json', '--log-format', 'json', '--debug']);
  resultOf(run);
  const fields = {
    time: z.iso.datetime(),
    level: z.enum(['debug', 'info', 'warning']),
    message: z.string(),
  };
  const Line = z.union([z.strictObject(fields), z.looseObject({ ...fields, event: z.string(), atMs: z.number() })]);
  const lines = run.stderr
    .trimEnd()
    .split('\n')
    .map((line) => Line.parse(JSON.parse(line)));
  assert.ok(lines.some(({ message }) => message.includes('joined as bot ci')));
});

test('the summary and failures are JSON lines too if requested', async (t) => {
  const job = await beginJob(t, cluster);
  const Line = z.object({ level: z.string(), message: z.string(), code: z.string().optional() });
  const linesOf = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => Line.parse(JSON.parse(line)));
  const { stderr } = await job.run([...job.flags, '--log-format=json']);
  assert.match(linesOf(stderr).at(-1)?.message ?? '', /^Wrote 1 output for example\.teleport\.test/);
  const Summary = z.object({ result: z.object({ bot: z.literal('ci'), outputs: z.array(z.unknown()).length(1) }) });
  Summary.parse(JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? ''));
  const failed = await job.run([...job.flags, '--token=nobody', '--log-format', 'json']);
  assert.deepEqual(
    linesOf(failed.stderr).map(({ level, code }) => ({ level, code })),
    [{ level: 'error', code: 'USAGE_INVALID' }],
  );
});

test('--debug adds causes to a failure, without secrets', async (t) => {
  const job = await beginJob(t, cluster);
  const args = [
    'run',
    '--proxy-server',
    'localhost:1',
    '--token',
    'x',
    '--destination',
    join(job.folder, 'out'),
    '--deadline',
    '1',
  ];
  const [quiet, loud] = await Promise.all([job.run(args), job.run([...args, '--debug'])]);
  assert.doesNotMatch(quiet.stderr, /^debug:/m);
  assert.match(loud.stderr, /^debug: caused by \w+: .*ECONNREFUSED/m);
});
