import assert from 'node:assert/strict';
import test from 'node:test';
import { sshPositiveInteger, SshReader, sshString } from '../../src/crypto/ssh-wire.ts';

const INVALID = { name: 'MachineIdError', code: 'RESPONSE_INVALID' };
const reader = (hex: string) => new SshReader(Buffer.from(hex, 'hex'), 'the test');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** The examples of RFC 4251 section 5 that are positive, and the edges of the leading zero. */
const INTEGERS: readonly (readonly [magnitude: string, wire: string])[] = [
  ['09a378f9b2e332a7', '0000000809a378f9b2e332a7'],
  ['80', '000000020080'],
  ['7f', '000000017f'],
  ['ff00', '0000000300ff00'],
];

for (const [magnitude, wire] of INTEGERS) {
  test(`the positive mpint ${magnitude} is ${wire} on the wire`, () => {
    assert.equal(hex(sshPositiveInteger(Buffer.from(magnitude, 'hex'))), wire);
    assert.equal(hex(reader(wire).positiveInteger()), magnitude);
  });
}

test('zeros in front of a magnitude are left out', () => {
  assert.equal(hex(sshPositiveInteger(Buffer.from('00007f', 'hex'))), '000000017f');
});

test('a string is its length in bytes, not in characters, and its UTF-8', () => {
  assert.equal(hex(sshString('testing')), '0000000774657374696e67');
  assert.equal(hex(sshString('ü')), '00000002c3bc');
  assert.equal(reader('00000002c3bc').text(), 'ü');
});

test('a byte order mark in a text stays', () => {
  assert.equal(reader('00000003efbbbf').text(), '\ufeff');
});

test('values are taken one behind the other', () => {
  const all = reader('00000001ffffffffffffffff0000000161');
  assert.deepEqual([all.uint32(), all.uint64(), all.offset, all.atEnd], [1, 2n ** 64n - 1n, 12, false]);
  assert.equal(all.text(), 'a');
  assert.equal(all.atEnd, true);
  all.end();
});

const REFUSED: readonly (readonly [string, string, (from: SshReader) => unknown])[] = [
  ['a uint32 of three bytes', '000000', (from) => from.uint32()],
  ['a uint64 of seven bytes', '00000000000000', (from) => from.uint64()],
  ['a string without its length', '0000', (from) => from.bytes()],
  ['a string shorter than its length', '0000000261', (from) => from.bytes()],
  ['a string of four gigabytes', 'ffffffff61', (from) => from.bytes()],
  ['a text with a stray byte', '00000001ff', (from) => from.text()],
  ['a text with an overlong form', '00000002c080', (from) => from.text()],
  ['a text with half a surrogate pair', '00000003eda080', (from) => from.text()],
  ['an mpint of nothing, which is zero', '00000000', (from) => from.positiveInteger()],
  ['an mpint of a zero byte', '0000000100', (from) => from.positiveInteger()],
  ['a negative mpint', '00000002edcc', (from) => from.positiveInteger()],
  ['an mpint with a zero too many', '000000020001', (from) => from.positiveInteger()],
];

for (const [what, bytes, take] of REFUSED) {
  test(`${what} is refused`, () => {
    assert.throws(() => take(reader(bytes)), INVALID);
  });
}

test('unread bytes are rejected at the end', () => {
  assert.throws(
    () => {
      reader('00').end();
    },
    { ...INVALID, message: 'the test cannot be read: it has 1 trailing byte' },
  );
});
