/** A join that this client gives up: it tells the server why before it closes the connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import test, { type TestContext } from 'node:test';
import { generateKeyPair } from '../../src/crypto/keys.ts';
import { Secret } from '../../src/effects/secret.ts';
import { FrameReader } from '../../src/grpc/frames.ts';
import {
  type JoinRequest,
  JoinRequestSchema,
  type JoinResponse,
  JoinResponseSchema,
} from '../../src/grpc/gen/teleport/join/v1/joinservice_pb.ts';
import { decode, encode, type Init } from '../../src/grpc/protobuf.ts';
import { joinByService, type ServiceJoinResult } from '../../src/join/join-service.ts';
import { network } from '../direct-network.ts';
import { selfSigned } from '../tls-certificate.ts';
import { SAMPLE_FACTS } from '../join/sample-facts.ts';

const { certificate: ca, key } = await selfSigned('localhost');
const signal = new AbortController().signal;
const MOST_MS = 10_000;

interface Scene {
  /** One response per request. */
  readonly answers: readonly Init<JoinResponse>[];
  /** Whether the server ends the call when the client has ended its side. */
  readonly ends: boolean;
}

interface Seen {
  readonly requests: JoinRequest[];
  hasEnded: boolean;
}

function serve(stream: ServerHttp2Stream, { answers, ends }: Scene, seen: Seen): void {
  const cutter = new FrameReader();
  const left = [...answers];
  stream.on('error', () => undefined);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => {
    stream.sendTrailers({ 'grpc-status': '3', 'grpc-message': 'client gave up on join attempt' });
  });
  stream.on('data', (chunk: Buffer) => {
    for (const message of cutter.add(chunk)) {
      seen.requests.push(decode(JoinRequestSchema, Buffer.concat(message)));
      const answer = left.shift();
      if (answer === undefined) continue;
      const bytes = encode(JoinResponseSchema, answer);
      stream.write(Buffer.concat([Buffer.of(0, 0, 0, 0, bytes.length), bytes]));
    }
  });
  stream.once('end', () => {
    seen.hasEnded = true;
    if (ends) stream.end();
  });
}

async function join(t: TestContext, scene: Scene): Promise<{ seen: Seen; joining: Promise<ServiceJoinResult> }> {
  const seen: Seen = { requests: [], hasEnded: false };
  const server = createSecureServer({ cert: ca, key });
  server.on('session', (session) => {
    t.after(() => {
      session.destroy();
    });
  });
  server.on('stream', (stream) => {
    serve(stream, scene, seen);
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const joining = joinByService({
    network,
    upgrades: undefined,
    onAlpnLost: () => undefined,
    nowMs: Date.now(),
    address: { host: 'localhost', port: address.port },
    trust: { ca, verify: true },
    facts: SAMPLE_FACTS,
    jwt: new Secret('eyJ'),
    keyFor: () => generateKeyPair('ecdsa-p256'),
    expiresAtMs: Date.now(),
    timeoutMs: 30_000,
    onResponse: () => undefined,
    signal,
  });
  return { seen, joining };
}

function init(joinMethod: string): Init<JoinResponse> {
  return { payload: { case: 'init', value: { joinMethod, signatureAlgorithmSuite: 'balanced-v1' } } };
}

function givenUp({ requests }: Seen): readonly [reason: unknown, message: unknown] {
  const { payload } = requests.at(-1) ?? {};
  if (payload?.case !== 'givingUp') assert.fail(`expected givingUp, got ${String(payload?.case)}`);
  return [payload.value.reason, payload.value.msg];
}

test('a server that names another join method learns that we do not support it', async (t) => {
  const { joining, seen } = await join(t, { answers: [init('github')], ends: true });
  await assert.rejects(joining, { code: 'JOIN_METHOD_MISMATCH' });
  assert.deepEqual(givenUp(seen), [1, 'join method github is not supported by this client']);
  assert.ok(seen.hasEnded);
});

const challenge: Init<JoinResponse> = { payload: { case: 'result', value: {} } };

for (const [when, answers] of [
  ['first', [challenge]],
  ['after the suite', [init('circleci'), challenge]],
] as const) {
  test(`a server that sends something unexpected ${when} learns that we do not support it`, async (t) => {
    const { joining, seen } = await join(t, { answers, ends: true });
    await assert.rejects(joining, { code: 'RESPONSE_INVALID' });
    assert.equal(givenUp(seen)[0], 2);
    assert.ok(seen.hasEnded);
  });
}

test('the client does not wait long for a server that does not end a join it gave up', async (t) => {
  const { joining, seen } = await join(t, { answers: [init('github')], ends: false });
  const startMs = performance.now();
  await assert.rejects(joining, { code: 'JOIN_METHOD_MISMATCH' });
  assert.ok(performance.now() - startMs < MOST_MS);
  assert.deepEqual(givenUp(seen)[0], 1);
});
