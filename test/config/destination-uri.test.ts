import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDestinationUri } from '../../src/config/destination-uri.ts';

const DIRECTORIES: readonly (readonly [string, string])[] = [
  ['out', 'out'],
  ['/out/put', '/out/put'],
  ['file:///out', '/out'],
  ['file://localhost/out', '/out'],
  ['file:/out', '/out'],
  ['file:out', 'out'],
  ['file:///tmp/a%20b', '/tmp/a b'],
  ['/tmp/a%20b', '/tmp/a%20b'],
  ['file:///tmp/cost%24', '/tmp/cost$'],
];

test('a directory is named by its path or by a file URI', () => {
  for (const [text, path] of DIRECTORIES) {
    const expected = { type: 'directory', path, symlinks: 'try-secure', acls: 'try', readers: [] };
    assert.deepEqual(readDestinationUri(text), expected, text);
  }
});

test('memory and Kubernetes secrets have URIs', () => {
  assert.deepEqual(readDestinationUri('memory:'), { type: 'memory' });
  assert.deepEqual(readDestinationUri('memory://'), { type: 'memory' });
  const secret = { type: 'kubernetes_secret', name: 'name', namespace: 'space', labels: {} };
  assert.deepEqual(readDestinationUri('kubernetes-secret://space/name'), secret);
  assert.deepEqual(readDestinationUri('kubernetes-secret:///name'), { ...secret, namespace: undefined });
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['file://elsewhere/out', /must be on the local host/],
  ['file:', /path must not be empty/],
  ['file:///tmp/100%', /has a "%" that begins no escape; write it as %25/],
  ['file:///%24HOME/x', /^"\$HOME" is not expanded here: write the path itself$/],
  ['file:~/x', /^"~\/" is not expanded here: write the absolute path/],
  ['$HOME/x', /^"\$HOME" is not expanded here/],
  ['memory:/x', /should not have host or path/],
  ['kubernetes-secret://space', /must have the form/],
  ['kubernetes-secret://space/a/b', /must have the form/],
  ['s3://bucket/key', /unrecognized data storage scheme/],
];

test('a URI that names no destination is refused', () => {
  for (const [text, expected] of REFUSED) {
    const refusal = readDestinationUri(text);
    assert.ok(typeof refusal === 'string', text);
    assert.match(refusal, expected);
  }
});
