import assert from 'node:assert/strict';
import test from 'node:test';
import protobuf from 'protobufjs';
import { framePrefix } from '../../src/teleport/transport.ts';
import { payloadOf } from '../../src/teleport/ssh-proxy.ts';

const schema = protobuf.parse(`
  syntax = "proto3";
  message Frame { bytes payload = 1; }
  message Details { bool fips_enabled = 1; }
  message Request { Frame ssh = 2; }
  message Response { Details details = 1; Frame ssh = 2; Frame agent = 3; }
`).root;
const Response = schema.lookupType('Response');

function encoded(message: object): Buffer {
  return Buffer.from(Response.encode(Response.create(message)).finish());
}

function pieces(bytes: Buffer, size: number): readonly Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

function payload(message: readonly Buffer[]): string {
  const parts = payloadOf(message);
  assert.ok(parts.every(({ length }) => length > 0));
  return Buffer.concat(parts).toString('latin1');
}

for (const length of [0, 1, 125, 126, 127, 128, 129, 16_381, 16_384, 16_390, 32_768, 2_097_152]) {
  const bytes = Buffer.alloc(length, 'Zz');

  test(`a payload of ${String(length)} bytes is read, in whatever pieces it comes`, () => {
    const message = encoded({ ssh: { payload: bytes } });
    for (const size of [2, 3, 7, 16_384, message.length]) {
      if (length < 100_000 || size > 1000) assert.equal(payload(pieces(message, size)), bytes.toString('latin1'));
    }
  });

  test(`a request with ${String(length)} bytes is one that protobuf reads`, () => {
    const message = Buffer.concat([framePrefix(length), bytes]);
    const { ssh } = schema
      .lookupType('Request')
      .toObject(schema.lookupType('Request').decode(message), { bytes: String });
    assert.deepEqual(ssh, { payload: bytes.toString('base64') });
  });
}

test('the pieces are handed on as they lie', () => {
  const message = encoded({ ssh: { payload: Buffer.alloc(300, 'x') } });
  const [first, second] = payloadOf(pieces(message, 200));
  assert.equal(first?.buffer, message.buffer);
  assert.equal(second?.buffer, message.buffer);
});

test('bytes before, after or instead of the payload are not taken for it', () => {
  const ssh = { payload: Buffer.from('bytes') };
  const before = encoded({ details: { fipsEnabled: true } });
  assert.equal(payload([before]), '');
  assert.equal(payload([Buffer.concat([before, encoded({ ssh })])]), 'bytes');
  assert.equal(payload([encoded({ ssh, agent: { payload: Buffer.from('agent') } })]), 'bytes');
  assert.equal(payload([encoded({ agent: { payload: Buffer.from('agent') } })]), '');
  assert.equal(payload([]), '');
});

test('a message that is cut short is refused', () => {
  assert.throws(() => payloadOf([encoded({ ssh: { payload: Buffer.from('bytes') } }).subarray(0, -1)]));
});
