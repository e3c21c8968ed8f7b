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

const BROKEN: readonly Case[] = [
  { kind: 'ping', fault: 'truncated', code: 'REPLY_INVALID', says: /the answer of the Proxy localhost:\d+ broke off/ },
  { kind: 'ping', fault: 'oversized', code: 'REPLY_TOO_LARGE', says: /more than 1048576 bytes/ },
  { kind: 'ping', fault: 'reset', code: 'PROXY_UNREACHABLE', says: /cannot connect to the Proxy/ },
  { kind: 'ping', fault: 'unavailable', code: 'PROXY_UNREACHABLE', says: /answered 503/ },
  { kind: 'ping', fault: 'not-json', code: 'PROXY_NOT_TELEPORT', says: /something that is not JSON/ },
  { kind: 'legacy-join', fault: 'truncated', code: 'REPLY_INVALID', says: /broke off/ },
  { kind: 'legacy-join', fault: 'oversized', code: 'REPLY_TOO_LARGE', says: /more than 1048576 bytes/ },
  { kind: 'legacy-join', fault: 'reset', code: 'PROXY_UNREACHABLE', says: /the Proxy localhost/ },
  { kind: 'legacy-join', fault: 'unavailable', code: 'JOIN_FAILED', says: /HTTP status 503/ },
  { kind: 'legacy-join', fault: 'not-json', code: 'REPLY_INVALID', says: /it is not JSON/ },
];

const METHODS = [
  `${AUTH}/Ping`,
  `${AUTH}/GetRole`,
  `${AUTH}/GenerateUserCerts`,
  `${TRUST}/GetCertAuthorities`,
] as const;

const CALLS: readonly Case[] = METHODS.flatMap((kind): Case[] => {
  const says = new RegExp(kind.replace(/^.*\//, ''));
  return [
    { kind, fault: 'truncated', code: 'REPLY_INVALID', says },
    { kind, fault: 'not-json', code: 'REPLY_INVALID', says },
    { kind, fault: 'oversized', code: 'REPLY_TOO_LARGE', says },
    { kind, fault: 'reset', code: 'AUTH_UNREACHABLE', says: /the Auth Service behind localhost/ },
    { kind, fault: 'unavailable', code: 'RPC_FAILED', says },
  ];
});

for (const { kind, fault, ...refusal } of [...BROKEN, ...CALLS]) {
  test(`an answer to ${kind} that is ${fault} ends the run and leaves everything as it was`, async (t) => {
    const cluster = kind === 'legacy-join' ? byEndpoint : newest;
    const job = await beginJob(t, cluster);
    misbehave(t, cluster, { replies: { [kind]: fault } });
    await assertRunRefused(job, refusal);
  });
}

for (const fault of ['truncated', 'oversized', 'not-json', 'reset', 'unavailable'] as const) {
  test(`a join service whose first answer is ${fault} leads to the legacy endpoint, as with Teleport's client`, async (t) => {
    const job = await beginJob(t, newest);
    misbehave(t, newest, { replies: { 'join-service': fault } });
    assert.equal(resultOf(await job.run([...job.flags, '--json'])).joinPath, 'legacy');
    assert.equal(newest.records.of('legacy-join')[0]?.outcome, 'ok');
  });
}

test('a Proxy that is overloaded for a moment is asked again', async (t) => {
  const job = await beginJob(t, newest);
  misbehave(t, newest, { replies: { ping: 'unavailable' } });
  const { finished } = job.start(job.flags);
  const recovery = setInterval(() => {
    if (newest.records.of('ping').length > 0) newest.faults.replies = {};
  }, 10);
  const { exitCode, stderr } = await finished;
  clearInterval(recovery);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /answered 503.*trying again in 300 ms/);
  assert.equal(newest.records.of('ping').length, 2);
});

for (const [what, cluster, kind, fault, path] of [
  ['a join by the endpoint', byEndpoint, 'legacy-join', 'reset', 'legacy'],
  ['a join by the join service', newest, 'join-service', 'reset-midway', 'join-service'],
] as const) {
  test(`${what} that breaks is begun again`, async (t) => {
    const job = await beginJob(t, cluster);
    misbehaveAtFirst(t, cluster, { kind, fault, times: 2 });
    const run = await job.run([...job.flags, '--json']);
    assert.equal(resultOf(run).joinPath, path);
    assert.match(run.stderr, /trying again in 300 ms\n[^]*trying again in 1000 ms\n/);
    assert.equal(cluster.records.of(kind).length, 3);
  });
}

test('a join service that always breaks ends the run after three tries', async (t) => {
  const job = await beginJob(t, newest);
  misbehave(t, newest, { replies: { 'join-service': 'reset-midway' } });
  await assertRunRefused(job, { code: 'JOIN_FAILED', says: /./ });
  assert.equal(newest.records.of('join-service').length, 3);
  assert.equal(newest.records.of('legacy-join').length, 0);
});

test('calls whose connection breaks are made again on one other connection', async (t) => {
  const kind = `${AUTH}/GenerateUserCerts` as const;
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind, fault: 'reset', times: 1 });
  const items = ['a', 'b', 'c'].map((name) => directory(`${job.folder}/${name}`));
  const run = await runOutputs(newest, job, items);
  assert.equal(resultOf(run).outputs.length, 3);
  assert.match(run.stderr, /no connection to the Auth Service behind localhost:\d+: .*; trying again in 300 ms\n/);
  assert.doesNotMatch(run.stderr, /1000 ms/, 'one new connection serves all three');
});

test('an SVID and its list of revocations come, though the connection breaks while they are asked for', async (t) => {
  const kind = 'rpc:/teleport.workloadidentity.v1.WorkloadIdentityRevocationService/StreamSignedCRL';
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind, fault: 'reset', times: 1 });
  const item = `type: workload-identity-x509, selector: { name: ci-svid }, ${directory(`${job.folder}/a`)}`;
  const [output] = resultOf(await runItems(newest, job, [item])).outputs;
  assert.ok(output?.files.includes('svid_crl.pem'), output?.files.join());
  assert.equal(newest.records.of(kind).length, 2);
});

test('a connection that breaks again and again is given up', async (t) => {
  const job = await beginJob(t, newest);
  misbehave(t, newest, { replies: { [`${AUTH}/GenerateUserCerts`]: 'reset' } });
  await assertRunRefused(job, { code: 'AUTH_UNREACHABLE', says: /the Auth Service behind localhost/ });
  assert.equal(newest.records.of(`${AUTH}/GenerateUserCerts`).length, 3);
});
