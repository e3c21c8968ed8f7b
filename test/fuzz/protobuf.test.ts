/** Compares every message of proto/, with arbitrary values, with protobufjs. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import protobufjs from 'protobufjs';
import { decode, encode, type MessageSchema } from '../../src/grpc/protobuf.ts';

const PROTO = 'proto';

function protoFiles(): readonly string[] {
  return readdirSync(PROTO, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.proto'));
}

const root = new protobufjs.Root();
root.resolvePath = (_, target) => (target.startsWith('google/') ? target : join(PROTO, target));
root.loadSync([...protoFiles()], { keepCase: true });

/** A value of a field in the form that protobufjs accepts, which also writes defaults. */
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

/** Any of the fields, but at most one of a union. */
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

/** The message with this name in the file's package. */
function typeIn(path: string, name: string): protobufjs.Type {
  const folder =
    path === 'teleport/legacy/types.proto'
      ? 'types'
      : path === 'teleport/legacy/authservice.proto'
        ? 'proto'
        : join(path, '..').replaceAll('/', '.');
  return root.lookupType(`${folder}.${name}`);
}
