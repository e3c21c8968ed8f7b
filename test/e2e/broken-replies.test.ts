import assert from 'node:assert/strict';
import test from 'node:test';
import type { ReplyFault } from '../cluster/faults.ts';
import type { RequestKind } from '../cluster/records.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
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

const FINAL: readonly Case[] = [
  { kind: 'ping', fault: 'oversized', code: 'RESPONSE_TOO_LARGE', says: /more than 1048576 bytes/ },
  { kind: 'ping', fault: 'not-json', code: 'PROXY_NOT_TELEPORT', says: /something that is not JSON/ },
  { kind: 'legacy-join', fault: 'oversized', code: 'RESPONSE_TOO_LARGE', says: /more than 1048576 bytes/ },
  { kind: 'legacy-join', fault: 'not-json', code: 'RESPONSE_INVALID', says: /it is not JSON/ },
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
    { kind, fault: 'truncated', code: 'RESPONSE_INVALID', says },
    { kind, fault: 'not-json', code: 'RESPONSE_INVALID', says },
    { kind, fault: 'oversized', code: 'RESPONSE_TOO_LARGE', says },
  ];
});

for (const { kind, fault, ...refusal } of [...FINAL, ...CALLS]) {
  test(`a response to ${kind} that is ${fault} fails the run immediately and changes nothing`, async (t) => {
    const cluster = kind === 'legacy-join' ? byEndpoint : newest;
    const job = await beginJob(t, cluster);
    misbehave(t, cluster, { replies: { [kind]: fault } });
    const { stderr } = await assertRunRefused(job, refusal);
    assert.doesNotMatch(stderr, /trying again/);
  });
}

for (const fault of ['truncated', 'oversized', 'not-json', 'reset', 'unavailable'] as const) {
  test(`a join service whose first response is ${fault} is replaced by the registration endpoint, as with Teleport's client`, async (t) => {
    const job = await beginJob(t, newest);
    misbehave(t, newest, { replies: { 'join-service': fault } });
    assert.equal(resultOf(await job.run([...job.flags, '--json'])).joinPath, 'legacy');
    assert.equal(newest.records.of('legacy-join')[0]?.outcome, 'ok');
  });
}
