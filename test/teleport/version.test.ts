import assert from 'node:assert/strict';
import test from 'node:test';
import { parseServerVersion } from '../../src/teleport/version.ts';

test('a version tells its major number', () => {
  assert.deepEqual(parseServerVersion('15.3.7'), { major: 15, text: '15.3.7' });
  assert.deepEqual(parseServerVersion('v19.0.0-dev.1+build'), { major: 19, text: '19.0.0-dev.1+build' });
});

test('a text that is no version is refused', () => {
  for (const text of ['', '15', '15.3', 'x15.3.7', '15.3.7\n', '15.3.7 (Enterprise)', '999999.0.0']) {
    assert.equal(parseServerVersion(text), undefined, text);
  }
});
