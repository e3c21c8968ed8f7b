import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';
import type { RequestKind } from '../cluster/records.ts';
import { checksOf } from './doctor-checks.ts';
import { clusterIn, directoryFor, misbehave } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const CALL: RequestKind = 'rpc:/teleport.machineid.v1.BotInstanceService/SubmitHeartbeat';
const JOB = {
  CIRCLE_BUILD_NUM: '123',
  CIRCLE_PROJECT_USERNAME: 'example',
  CIRCLE_PROJECT_REPONAME: 'app',
  CIRCLE_NODE_INDEX: '1',
  CIRCLE_NODE_TOTAL: '2',
};

const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, {});

const Heartbeat = z.object({
  heartbeat: z.object({
    is_startup: z.literal(true),
    one_shot: z.literal(true),
    version: z.string().regex(/^\d+\.\d+\.\d+/),
    hostname: z.string(),
    join_method: z.literal('circleci'),
    architecture: z.enum(['amd64', 'arm64']),
    os: z.literal('linux'),
    recorded_at: z.object({ seconds: z.coerce.number() }),
    uptime: z.object({ nanos: z.number() }),
  }),
});

/** The end of a run waits no longer for the response. */
const LATE = /heartbeat of \S+ sent, no response within 100 ms/;
const REFUSED_OR_LATE = new RegExp(`heartbeat not accepted: |${LATE.source}`);

const sent = ({ records }: Cluster) => records.of(CALL);

test('after the outputs, the cluster gets the number and the project of the job, and the summary says how to find it', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run(job.flags, { environment: JOB });
  assert.equal(run.exitCode, 0, run.stderr);
  const [record, ...others] = sent(cluster);
  assert.deepEqual([record?.outcome, others], ['ok', []]);
  const { heartbeat } = Heartbeat.parse(record?.fields);
  assert.equal(heartbeat.hostname, 'example/app#123.1');
  assert.ok(Math.abs(heartbeat.recorded_at.seconds - Date.now() / 1000) < 60);
  const kinds = cluster.records.kinds.filter((kind) => kind.startsWith('rpc:'));
  assert.equal(kinds.at(-1), CALL, 'it comes after the certificates');
  const [, id = ''] = /^ +instance +([0-9a-f-]{36}): tctl bots instances show ci\/\1$/m.exec(run.stderr) ?? [];
  assert.match(
    run.stderr,
    new RegExp(`^ +audit query +SELECT \\* FROM bot_join WHERE bot_instance_id = '${id}'$`, 'm'),
  );
});

test('the JSON result and doctor name the bot instance', async (t) => {
  const job = await beginJob(t, cluster);
  const { auditQuery = '', botInstanceId = 'none' } = resultOf(await job.run([...job.flags, '--json']));
  assert.ok(auditQuery.includes(botInstanceId));
  cluster.records.clear();
  const checks = await checksOf(job, job.flags.slice(1));
  assert.match(checks.get('join')?.detail ?? '', /bot instance [0-9a-f-]{36}; audit query: SELECT/);
  assert.deepEqual(sent(cluster), [], 'doctor changes nothing');
});

test('with --no-heartbeat, nothing is sent', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json', '--no-heartbeat']));
  assert.deepEqual(sent(cluster), []);
});

for (const fault of ['silent', 'reset', 'unavailable'] as const) {
  test(`a heartbeat that fails (${fault}) only adds a line to --debug`, async (t) => {
    const job = await beginJob(t, cluster);
    misbehave(t, cluster, { replies: { [CALL]: fault } });
    const run = await job.run([...job.flags, '--json', '--debug']);
    assert.equal(resultOf(run).outputs.length, 1);
    // A busy machine may not notice the refusal in time.
    assert.match(run.stderr, fault === 'silent' ? LATE : REFUSED_OR_LATE);
    assert.equal(sent(cluster).length, 1, 'there is one attempt');
    const quiet = await job.run([...job.flags, '--json']);
    assert.doesNotMatch(quiet.stderr, /heartbeat/);
  });
}

for (const [teleport, expected] of [
  ['15.3.7', undefined],
  ['16.0.4', new RegExp(`heartbeat not accepted: .*does not implement the method|${LATE.source}`)],
  ['17.7.1', /heartbeat of example\/app#123\.1 sent/],
] as const) {
  test(`Teleport ${teleport} ${expected === undefined ? 'has no bot instances' : 'gets what it supports'}`, async (t) => {
    const old = await clusterIn(authorities, t, { teleport });
    const job = await beginJob(t, old);
    const run = await job.run([...job.flags, '--json', '--debug'], { environment: JOB });
    assert.equal(resultOf(run).botInstanceId === undefined, expected === undefined);
    if (expected === undefined) assert.doesNotMatch(run.stderr, /heartbeat/);
    else assert.match(run.stderr, expected);
  });
}
