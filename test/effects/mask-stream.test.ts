import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { createMaskStream } from '../../src/effects/mask-stream.ts';

const KEY_LINE = 'MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49';
const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl';
const LONGER = `${TOKEN}-and-more`;

/** The masked text when it arrives in chunks of one size. */
function maskedInChunks(text: string, size: number, secrets = [KEY_LINE, TOKEN, LONGER]): string {
  const stream = createMaskStream(secrets);
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(stream.push(bytes.subarray(at, at + size)));
  return Buffer.concat([...parts, stream.end()]).toString();
}

test('secrets are masked wherever the chunks of a stream begin and end', () => {
  const text = `before ${KEY_LINE}${TOKEN} ${LONGER}\nä ${KEY_LINE.slice(0, 15)} ${TOKEN.slice(1, 8)}`;
  const expected = `before [masked][masked] [masked]\nä ${KEY_LINE.slice(0, 15)} ${TOKEN.slice(1, 8)}`;
  for (let size = 1; size < 90; size += 1)
    assert.equal(maskedInChunks(text, size), expected, `chunks of ${size} bytes`);
});

test('a long part of a secret is masked too, whatever its program cuts off or how it breaks lines', () => {
  const cut = (from: number, to?: number) => KEY_LINE.slice(from, to);
  const text = `${cut(0, 40)} ${cut(8)} ${cut(3, 60)} ${cut(0, 32)}\n${cut(32, 64)}\n${cut(64)}`;
  const expected = `[masked] [masked] ${cut(3, 8)}[masked] [masked]\n[masked]\n${cut(64)}`;
  for (const size of [1, 2, 3, 7, 16, 1000]) assert.equal(maskedInChunks(text, size), expected);
});

test('bytes that are not text pass unchanged', () => {
  const bytes = randomBytes(300_000);
  const stream = createMaskStream([KEY_LINE]);
  const parts = [stream.push(bytes.subarray(0, 100_001)), stream.push(bytes.subarray(100_001)), stream.end()];
  assert.deepEqual(Buffer.concat(parts), bytes);
});

test('what cannot be a part of a secret is passed on at once', () => {
  const stream = createMaskStream([KEY_LINE, TOKEN]);
  assert.equal(stream.push(Buffer.from('Password: ')).toString(), 'Password: ');
  assert.equal(stream.isUnsure, false);
});

test('a few bytes that may begin a secret can be passed on, and its rest is still masked', () => {
  const stream = createMaskStream([KEY_LINE, TOKEN]);
  assert.equal(stream.push(Buffer.from('Nam')).toString(), 'Nam');
  assert.equal(stream.push(Buffer.from(KEY_LINE.slice(0, 3))).toString(), '');
  assert.equal(stream.isUnsure, true);
  assert.equal(stream.relax().toString(), KEY_LINE.slice(0, 3));
  assert.equal(stream.isUnsure, false);
  assert.equal(stream.push(Buffer.from(`${KEY_LINE.slice(3)}.`)).toString(), '[masked].');
  stream.push(Buffer.from(KEY_LINE.slice(0, 12)));
  assert.equal(stream.isUnsure, false, 'so much of a secret is held back until the end');
  assert.equal(stream.end().toString(), KEY_LINE.slice(0, 12));
});

test('memory does not grow with the stream', () => {
  const stream = createMaskStream([KEY_LINE]);
  let passedOn = 0;
  const chunk = Buffer.alloc(65_536, KEY_LINE.slice(0, 15));
  for (let count = 0; count < 50; count += 1) passedOn += stream.push(chunk).length;
  assert.ok(50 * chunk.length - passedOn < KEY_LINE.length);
});
