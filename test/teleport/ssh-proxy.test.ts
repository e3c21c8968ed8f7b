import assert from 'node:assert/strict';
import test from 'node:test';
import type { ErrorCode } from '../../src/errors.ts';
import type { BulkCall } from '../../src/grpc/bulk.ts';
import { GrpcError, type GrpcStatus } from '../../src/grpc/status.ts';
import { proxySsh } from '../../src/teleport/ssh-proxy.ts';

const TARGET = { cluster: 'example.com', host: 'web-1', port: 3022, login: 'ci' };

/** A call that the Proxy ends with a status, after it has taken the first message. */
function endedCall(status: GrpcStatus, said: string): BulkCall {
  return {
    send: () => Promise.resolve(),
    end: () => undefined,
    // eslint-disable-next-line require-yield -- nothing comes before the status
    messages: async function* () {
      await Promise.resolve();
      throw new GrpcError(status, said);
    },
    close: () => undefined,
  };
}

const cases: readonly { status: GrpcStatus; said: string; code: ErrorCode; message: RegExp }[] = [
  {
    status: 'Unavailable',
    said: 'failed to dial target host\n\ttarget host web-1 is offline or does not exist',
    code: 'NODE_UNREACHABLE',
    message: /^cannot reach node "web-1" of example\.com: failed to dial target host/,
  },
  {
    status: 'NotFound',
    said: 'err-node-is-ambiguous\n\tambiguous host could match multiple nodes',
    code: 'NODE_UNREACHABLE',
    message: /ambiguous host could match multiple nodes$/,
  },
  {
    status: 'Unavailable',
    said: 'the connection is draining',
    code: 'PROXY_UNREACHABLE',
    message: /^cannot connect to the Proxy proxy\.example\.com:443: the connection is draining$/,
  },
  {
    status: 'PermissionDenied',
    said: 'lock targeting User:"bot-ci" is in force',
    code: 'AUTH_DENIED',
    message: /^the Proxy proxy\.example\.com:443 refused this identity: lock targeting User:"bot-ci" is in force$/,
  },
  {
    status: 'InvalidArgument',
    said: 'dial target contains an invalid hostport',
    code: 'NODE_UNREACHABLE',
    message: /dial target contains an invalid hostport$/,
  },
];
for (const { code, message, said, status } of cases) {
  test(`${status} with "${said.replace(/\s+/g, ' ')}" is ${code}`, async () => {
    const ends = { input: emptyInput(), write: () => Promise.resolve() };
    const options = {
      call: endedCall(status, said),
      proxy: { host: 'proxy.example.com', port: 443 },
      signal: new AbortController().signal,
    };
    await assert.rejects(proxySsh(TARGET, ends, options), { code, message });
  });
}

async function* emptyInput(): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield* [];
}
