import assert from 'node:assert/strict';
import test from 'node:test';
import { compareVersions, parseServerVersion } from '../../src/teleport/ping.ts';

test('a version gives its major number', () => {
  assert.deepEqual(parseServerVersion('15.3.7'), { major: 15, text: '15.3.7' });
  assert.deepEqual(parseServerVersion('v19.0.0-dev.1+build'), { major: 19, text: '19.0.0-dev.1+build' });
});

test('text that is not a version is rejected', () => {
  for (const text of ['', '15', '15.3', 'x15.3.7', '15.3.7\n', '15.3.7 (Enterprise)', '999999.0.0']) {
    assert.equal(parseServerVersion(text), undefined, text);
  }
});

test('versions are in the order of Semantic Versioning', () => {
  const ordered = [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '17.0.0-aa',
    '17.0.0-alpha',
    '17.0.0',
  ].map((text) => ({ major: 0, text }));
  for (const [at, one] of ordered.entries()) {
    for (const [after, other] of ordered.entries()) {
      assert.equal(Math.sign(compareVersions(one, other)), Math.sign(at - after), `${one.text} and ${other.text}`);
    }
  }
  assert.equal(compareVersions({ major: 1, text: '1.0.0+a' }, { major: 1, text: '1.0.0+b' }), 0);
});
