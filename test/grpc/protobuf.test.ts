import assert from 'node:assert/strict';
import test from 'node:test';
import { JoinRequestSchema, ServerInitSchema } from '../../src/grpc/gen/teleport/join/v1/joinservice_pb.ts';
import {
  ListResourcesRequestSchema,
  PingResponseSchema,
  UserCertsRequestSchema,
} from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { CertAuthorityV2Schema, MetadataSchema } from '../../src/grpc/gen/teleport/legacy/types_pb.ts';
import { durationFromMs, timestampFromMs, TimestampSchema } from '../../src/grpc/protobuf-values.ts';
import { decode, encode, kindOf } from '../../src/grpc/protobuf.ts';

/** Field 1000, in each of the forms that a value can have. */
const UNKNOWN = [
  Buffer.from([0xc0, 0x3e, 0x96, 0x01]),
  Buffer.from([0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0xc2, 0x3e, 0x03, 0x61, 0x62, 0x63]),
  Buffer.from([0xc3, 0x3e, 0x08, 0x01, 0xc4, 0x3e]),
  Buffer.from([0xc5, 0x3e, 1, 2, 3, 4]),
];

test('unknown fields are skipped, wherever they are', () => {
  const known = encode(ServerInitSchema, { joinMethod: 'circleci', signatureAlgorithmSuite: 'legacy' });
  for (const unknown of UNKNOWN) {
    for (const bytes of [Buffer.concat([unknown, known]), Buffer.concat([known, unknown])]) {
      assert.deepEqual(decode(ServerInitSchema, bytes), { joinMethod: 'circleci', signatureAlgorithmSuite: 'legacy' });
    }
  }
});

test('a map keeps every key, __proto__ included', () => {
  const labels = Object.fromEntries([['__proto__', 'a'] as const, ['env', 'b'] as const]);
  const bytes = encode(MetadataSchema, { labels });
  assert.deepEqual(Object.entries(decode(MetadataSchema, bytes).labels), Object.entries(labels));
});

test('a field of another wire type than ours is skipped', () => {
  const asNumber = Buffer.from([0x10, 0x07]);
  assert.deepEqual(decode(PingResponseSchema, asNumber), {
    clusterName: '',
    serverVersion: '',
    proxyPublicAddr: '',
    signatureAlgorithmSuite: 0,
  });
});

test('a message in several parts is merged; of a repeated text the last one counts', () => {
  const [one, other] = [{ type: 'host' }, { clusterName: 'b' }].map((spec) => encode(CertAuthorityV2Schema, { spec }));
  const { spec } = decode(
    CertAuthorityV2Schema,
    Buffer.concat([one ?? [], other ?? []].map((part) => Buffer.from(part))),
  );
  assert.deepEqual([spec?.type, spec?.clusterName], ['host', 'b']);
  const twice = ['a', 'b'].map((clusterName) => encode(PingResponseSchema, { clusterName }));
  assert.equal(decode(PingResponseSchema, Buffer.concat(twice)).clusterName, 'b');
});

test('a message that is cut off or reaches past its end is rejected', () => {
  const whole = encode(CertAuthorityV2Schema, { spec: { clusterName: 'root.example.com', activeKeys: { ssh: [{}] } } });
  for (let length = 1; length < whole.length; length += 1) {
    assert.throws(() => decode(CertAuthorityV2Schema, whole.subarray(0, length)), Error, String(length));
  }
  // The inner message reaches past the end of the outer one, though not of all bytes.
  assert.throws(() => decode(CertAuthorityV2Schema, Buffer.from([0x2a, 0x02, 0x5a, 0x02, 0x08, 0x01])), RangeError);
});

test('defaults and undefined values are not written', () => {
  const request = { username: '', useRoleRequests: false, roleRequests: [], sshPublicKey: Buffer.alloc(0) };
  assert.equal(encode(UserCertsRequestSchema, { ...request, routeToApp: undefined }).length, 0);
  assert.equal(encode(ListResourcesRequestSchema, { limit: 0, labels: {} }).length, 0);
  assert.deepEqual([...encode(UserCertsRequestSchema, { routeToApp: {} })], [0x5a, 0x00]);
});

test('the kind of a message is the field of its union', () => {
  const bytes = encode(JoinRequestSchema, { payload: { case: 'oidcInit', value: {} } });
  assert.equal(kindOf(JoinRequestSchema, Buffer.concat([...UNKNOWN, bytes])), 'oidc_init');
  assert.equal(kindOf(JoinRequestSchema, Buffer.alloc(0)), undefined);
  assert.equal(kindOf(JoinRequestSchema, Buffer.from([0x0f, 0xff])), undefined, 'no message at all');
});

test('times have seconds and nanoseconds', () => {
  assert.deepEqual(timestampFromMs(1_700_000_000_123), { seconds: 1_700_000_000, nanos: 123_000_000 });
  assert.deepEqual(durationFromMs(90_000), { seconds: 90, nanos: 0 });
  const later = { seconds: 2 ** 40, nanos: 1 };
  assert.deepEqual(decode(TimestampSchema, encode(TimestampSchema, later)), later);
});
