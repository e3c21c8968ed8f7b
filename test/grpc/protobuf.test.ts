import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import protobufjs from 'protobufjs';
import { JoinRequestSchema, ServerInitSchema } from '../../src/grpc/gen/teleport/join/v1/joinservice_pb.ts';
import {
  ListResourcesRequestSchema,
  PingResponseSchema,
  UserCertsRequestSchema,
} from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { CertAuthorityV2Schema, MetadataSchema } from '../../src/grpc/gen/teleport/legacy/types_pb.ts';
import { durationFromMs, timestampFromMs, TimestampSchema } from '../../src/grpc/protobuf-values.ts';
import { decode, encode, kindOf, type MessageSchema } from '../../src/grpc/protobuf.ts';

const PROTO = 'proto';

function protoFiles(): readonly string[] {
  return readdirSync(PROTO, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.proto'));
}

const root = new protobufjs.Root();
root.resolvePath = (_, target) => (target.startsWith('google/') ? target : join(PROTO, target));
root.loadSync([...protoFiles()], { keepCase: true });

/** A value of a field as protobufjs takes it, which writes defaults as well. */
function valueOf(field: protobufjs.Field): fc.Arbitrary<unknown> {
  const { resolvedType } = field.resolve();
  if (resolvedType instanceof protobufjs.Type) return messageOf(resolvedType);
  switch (field.type) {
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 200 });
    case 'bytes':
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger();
    default:
      throw new Error(`${field.fullName} is of the type ${field.type}`);
  }
}

function fieldOf(field: protobufjs.Field): fc.Arbitrary<unknown> {
  if (field instanceof protobufjs.MapField)
    return fc.dictionary(fc.string({ maxLength: 20 }), fc.string(), { maxKeys: 4 });
  return field.repeated ? fc.array(valueOf(field), { maxLength: 4 }) : valueOf(field);
}

/** Any of the fields, and of a union one at most. */
function messageOf(type: protobufjs.Type): fc.Arbitrary<Record<string, unknown>> {
  const unions = type.oneofsArray.filter((oneof) => !oneof.isProto3Optional);
  const single = type.fieldsArray.filter((field) => !unions.some((union) => union.fieldsArray.includes(field)));
  const singles = fc.record(Object.fromEntries(single.map((field) => [field.name, fieldOf(field)])), {
    requiredKeys: [],
  });
  const chosen = unions.map((union) =>
    fc.oneof(
      fc.constant({}),
      ...union.fieldsArray.map((field) => valueOf(field).map((value) => ({ [field.name]: value }))),
    ),
  );
  return fc.tuple(singles, ...chosen).map((parts) => Object.fromEntries(parts.flatMap((part) => Object.entries(part))));
}

function isSchema(value: unknown): value is MessageSchema<object> {
  return typeof value === 'object' && value !== null && 'empty' in value && 'fields' in value;
}

for (const path of protoFiles()) {
  const exports: unknown = await import(`../../src/grpc/gen/${path.replace('.proto', '')}_pb.ts`);
  assert.ok(typeof exports === 'object' && exports !== null);
  const schemas = Object.entries(exports).flatMap(([name, value]) => (isSchema(value) ? [[name, value] as const] : []));
  test(`messages of ${path} are written and read as protobufjs does it`, () => {
    assert.ok(schemas.length > 1);
    for (const [name, schema] of schemas) {
      const type = typeIn(path, name.replace(/Schema$/, ''));
      fc.assert(
        fc.property(messageOf(type), (message) => {
          const theirs = type.encode(type.fromObject(message)).finish();
          const ours = encode(schema, decode(schema, theirs));
          const options = { longs: Number, bytes: String, defaults: true };
          assert.deepEqual(type.toObject(type.decode(ours), options), type.toObject(type.decode(theirs), options));
        }),
        { numRuns: 25 },
      );
    }
  });
}

/** The message of this name in the file's package. */
function typeIn(path: string, name: string): protobufjs.Type {
  const folder =
    path === 'teleport/legacy/types.proto'
      ? 'types'
      : path === 'teleport/legacy/authservice.proto'
        ? 'proto'
        : join(path, '..').replaceAll('/', '.');
  return root.lookupType(`${folder}.${name}`);
}

/** Field 1000, in each of the forms that a value can have. */
const UNKNOWN = [
  Buffer.from([0xc0, 0x3e, 0x96, 0x01]),
  Buffer.from([0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0xc2, 0x3e, 0x03, 0x61, 0x62, 0x63]),
  Buffer.from([0xc3, 0x3e, 0x08, 0x01, 0xc4, 0x3e]),
  Buffer.from([0xc5, 0x3e, 1, 2, 3, 4]),
];

test('fields that are not known are passed over, wherever they stand', () => {
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

test('a field in another form than ours is passed over', () => {
  const asNumber = Buffer.from([0x10, 0x07]);
  assert.deepEqual(decode(PingResponseSchema, asNumber), { clusterName: '', serverVersion: '' });
});

test('a message that comes in parts is put together, of a text the last one counts', () => {
  const [one, other] = [{ type: 'host' }, { clusterName: 'b' }].map((spec) => encode(CertAuthorityV2Schema, { spec }));
  const { spec } = decode(
    CertAuthorityV2Schema,
    Buffer.concat([one ?? [], other ?? []].map((part) => Buffer.from(part))),
  );
  assert.deepEqual([spec?.type, spec?.clusterName], ['host', 'b']);
  const twice = ['a', 'b'].map((clusterName) => encode(PingResponseSchema, { clusterName }));
  assert.equal(decode(PingResponseSchema, Buffer.concat(twice)).clusterName, 'b');
});

test('what is cut off, or reaches past its end, is no message', () => {
  const whole = encode(CertAuthorityV2Schema, { spec: { clusterName: 'root.example.com', activeKeys: { ssh: [{}] } } });
  for (let length = 1; length < whole.length; length += 1) {
    assert.throws(() => decode(CertAuthorityV2Schema, whole.subarray(0, length)), Error, String(length));
  }
  // The inner message reaches past the end of the outer one, though not of all bytes.
  assert.throws(() => decode(CertAuthorityV2Schema, Buffer.from([0x2a, 0x02, 0x5a, 0x02, 0x08, 0x01])), RangeError);
});

test('defaults are not written, nor is what is undefined', () => {
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
