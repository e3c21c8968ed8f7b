import assert from 'node:assert/strict';
import test from 'node:test';
import type { ReplyFault } from '../cluster/faults.ts';
import type { RequestKind } from '../cluster/records.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { directory, runItems, runOutputs } from './config-file.ts';
import { clusterForFile, misbehave, misbehaveAtFirst } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRunRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const newest = await clusterForFile();
const byEndpoint = await clusterForFile({ teleport: '17.4.2' });

const AUTH = 'rpc:/proto.AuthService';
const TRUST = 'rpc:/teleport.trust.v1.TrustService';

interface Case {
  readonly kind: RequestKind;
  readonly fault: ReplyFault;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const PASSING: readonly Case[] = [
  { kind: 'ping', fault: 'truncated', code: 'REPLY_INVALID', says: /the answer of the Proxy localhost:\d+ broke off/ },
  { kind: 'ping', fault: 'reset', code: 'PROXY_UNREACHABLE', says: /cannot connect to the Proxy/ },
  { kind: 'ping', fault: 'unavailable', code: 'PROXY_UNREACHABLE', says: /answered 503/ },
  { kind: 'legacy-join', fault: 'truncated', code: 'REPLY_INVALID', says: /broke off/ },
  { kind: 'legacy-join', fault: 'reset', code: 'PROXY_UNREACHABLE', says: /the Proxy localhost/ },
  { kind: 'legacy-join', fault: 'unavailable', code: 'JOIN_FAILED', says: /HTTP status 503/ },
  { kind: 'join-service', fault: 'reset-midway', code: 'JOIN_FAILED', says: /./ },
  { kind: `${AUTH}/GetRole`, fault: 'reset', code: 'AUTH_UNREACHABLE', says: /the Auth Service behind localhost/ },
  { kind: `${AUTH}/GetRole`, fault: 'unavailable', code: 'RPC_FAILED', says: /GetRole/ },
];

const DEADLINE_S = 4;

for (const { kind, fault, code, says } of PASSING) {
  test(`an answer to ${kind} that stays ${fault} ends the run by the deadline and leaves everything as it was`, async (t) => {
    const cluster = kind === 'legacy-join' ? byEndpoint : newest;
    const job = await beginJob(t, cluster);
    misbehave(t, cluster, { replies: { [kind]: fault } });
    const all = new RegExp(
      `${says.source}.*; gave up after \\d+ tries in [1-4](\\.\\d)? s \\(--deadline ${DEADLINE_S}\\)`,
    );
    const args = [...job.flags, '--deadline', String(DEADLINE_S)];
    await assertRunRefused(job, { code, says: all }, { args });
    assert.ok(cluster.records.of(kind).length >= 2);
  });
}

const METHODS = [
  `${AUTH}/Ping`,
  `${AUTH}/GetRole`,
  `${AUTH}/GenerateUserCerts`,
  `${TRUST}/GetCertAuthorities`,
] as const;

test('a Proxy that is overloaded for a moment is asked again', async (t) => {
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind: 'ping', fault: 'unavailable', times: 1 });
  const { exitCode, stderr } = await job.run(job.flags);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /answered 503.*; trying again in 0(\.\d)? s, for \d\d s more\n/);
  assert.equal(newest.records.of('ping').length, 2);
});

for (const [what, cluster, kind, fault, path] of [
  ['a join by the endpoint that breaks', byEndpoint, 'legacy-join', 'reset', 'legacy'],
  ['a join by the endpoint that is answered by 503', byEndpoint, 'legacy-join', 'unavailable', 'legacy'],
  ['a join by the endpoint whose answer is cut off', byEndpoint, 'legacy-join', 'truncated', 'legacy'],
  ['a join by the join service that breaks', newest, 'join-service', 'reset-midway', 'join-service'],
] as const) {
  test(`${what} is begun again`, async (t) => {
    const job = await beginJob(t, cluster);
    misbehaveAtFirst(t, cluster, { kind, fault, times: 4 });
    const run = await job.run([...job.flags, '--json']);
    assert.equal(resultOf(run).joinPath, path);
    assert.equal(run.stderr.match(/; trying again in [\d.]+ s, for \d+ s more\n/g)?.length, 4, run.stderr);
    assert.equal(cluster.records.of(kind).length, 5);
  });
}

test('calls whose connection breaks are made again on one other connection', async (t) => {
  const kind = `${AUTH}/GenerateUserCerts` as const;
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind, fault: 'reset', times: 1 });
  const items = ['a', 'b', 'c'].map((name) => directory(`${job.folder}/${name}`));
  const run = await runOutputs(newest, job, items);
  assert.equal(resultOf(run).outputs.length, 3);
  const [, ...more] = run.stderr.match(
    /no connection to the Auth Service behind localhost:\d+: .*; trying again in [\d.]+ s/g,
  ) ?? [undefined];
  assert.deepEqual(more, [], 'one new connection serves all three');
});

for (const kind of METHODS) {
  test(`${kind} is called again when the Auth Service is not available at first`, async (t) => {
    const job = await beginJob(t, newest);
    misbehaveAtFirst(t, newest, { kind, fault: 'unavailable', times: 3 });
    resultOf(await job.run([...job.flags, '--json']));
  });
}

test('an SVID and its list of revocations come, though the connection breaks while they are asked for', async (t) => {
  const kind = 'rpc:/teleport.workloadidentity.v1.WorkloadIdentityRevocationService/StreamSignedCRL';
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind, fault: 'reset', times: 1 });
  const item = `type: workload-identity-x509, selector: { name: ci-svid }, ${directory(`${job.folder}/a`)}`;
  const [output] = resultOf(await runItems(newest, job, [item])).outputs;
  assert.ok(output?.files.includes('svid_crl.pem'), output?.files.join());
  assert.equal(newest.records.of(kind).length, 2);
});
