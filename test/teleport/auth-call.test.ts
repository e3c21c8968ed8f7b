import assert from 'node:assert/strict';
import test from 'node:test';
import { authCaller } from '../../src/teleport/auth-call.ts';
import { workloadRefusals } from '../../src/auth/workload-api.ts';
import { GrpcError, type GrpcStatus } from '../../src/grpc/status.ts';

const call = authCaller({
  place: { address: { host: 'proxy.example.com', port: 443 }, isDirect: false },
  retries: { attemptMs: () => 10_000 },
  attempts: (attempt) => attempt(),
  signal: new AbortController().signal,
});
const SAID = 'scoped identities not supported';

function refused(status: GrpcStatus, said: string, refusals?: Parameters<typeof call>[2]): Promise<never> {
  return call('GenerateUserCerts', () => Promise.reject(new GrpcError(status, said)), refusals);
}

test('a rejection because of scopes is distinguished from missing permissions, for every call', async () => {
  const expected = {
    code: 'CLUSTER_UNSUPPORTED',
    message: /because of scopes: scoped identities/,
    hint: /without a scope/,
  };
  await assert.rejects(refused('PermissionDenied', SAID), expected);
  await assert.rejects(refused('PermissionDenied', SAID, workloadRefusals({ name: 'a', labels: {} })), expected);
});

test('other refusals keep their meaning', async () => {
  await assert.rejects(refused('PermissionDenied', 'access denied'), { code: 'AUTH_DENIED' });
  await assert.rejects(refused('Unavailable', SAID), { code: 'RPC_FAILED' });
});
