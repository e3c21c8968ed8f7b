import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { profileOf } from '../cluster/profiles.ts';
import { VERSIONS } from '../e2e/profiles.ts';
import { textOf } from './documents.ts';
import { sections, tableRows } from './markdown.ts';

function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = sections(textOf('docs/versions.md')).find((one) => one.heading === heading);
  assert.ok(section !== undefined, heading);
  return tableRows(section.text);
}

test('the versions of Teleport are those that the bundle is run against, with what differs between them', () => {
  const expected = VERSIONS.map(({ joinPath, keyFields, keyType, teleport }) => [
    teleport,
    joinPath === 'legacy' ? 'registration endpoint' : 'join service',
    keyType === 'RSA' ? 'RSA-2048' : 'ECDSA P-256',
    keyFields.one ? 'one for both' : 'one for each',
  ]);
  const told = rowsOf('Teleport').filter(([first = '']) => /^\d/.test(first));
  assert.deepEqual(told, expected);
});

test('what is said of workload identities is what the cluster of that version does', () => {
  const since = rowsOf('Teleport').find(([output = '']) => output.includes('workload-identity-x509'))?.[1];
  assert.equal(since, '17');
  assert.deepEqual(
    ['16.4.0', '17.4.2'].map((version) => profileOf(version).workloadIdentities),
    [false, true],
  );
  assert.equal(profileOf('17.4.2').spiffeSigning === 'absent', false);
  assert.equal(profileOf('18.2.4').spiffeSigning, 'absent');
});

test('the versions of Node.js are those of CI, and of the tests themselves', () => {
  const [, others = ''] = /for version in ([\d ]+); do/.exec(readFileSync('.ci/run', 'utf8')) ?? [];
  const [, told = ''] = /on Node\.js ([\d, and]+)\./.exec(textOf('docs/versions.md').replaceAll('\n', ' ')) ?? [];
  const own = process.versions.node.split('.')[0] ?? '';
  const versions = new Set(told.match(/\d+/g));
  assert.ok(versions.has('18'));
  for (const one of others.split(' ')) assert.ok(versions.has(one), `${one} of .ci/run`);
  assert.deepEqual(
    [...versions].filter((one) => !others.split(' ').includes(one) && one !== '20'),
    [],
    own,
  );
});
