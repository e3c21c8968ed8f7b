import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { recorded, withoutTimes } from '../../scripts/demo/recording.ts';
import { pictures } from '../../scripts/documents/pictures.ts';

for (const [path, expected] of await pictures()) {
  test(`${path} is what "npm run generate" draws`, () => {
    assert.equal(readFileSync(path, 'utf8'), expected);
  });

  test(`${path} has colors for light and dark pages and loads nothing`, () => {
    assert.match(expected, /prefers-color-scheme: dark/);
    assert.doesNotMatch(expected, /<script|<image|url\(|@import|href=/);
  });
}

const LOG = `
— Step: Install Teleport machine-id
machine-id: version 0.1.0 installed: /tmp/machine-id-demo-a1B2c3/home/machine-id.cjs (SHA-256 ${'0f'.repeat(32)})

— Step: Join the Teleport cluster
[   15 ms] configuration read: 1 output, Proxy localhost:42447
[  214 ms] connected to example.teleport.test

— Step: Show what later steps have
MACHINE_ID_EXPIRES_AT=2026-11-30T09:07:59Z
total 60
-rw------- 1 root root  186 Nov 30 08:07 key

— Step: Look at the certificates
Serial: 0

— Step: Reach the Auth Service through the Proxy with the identity
Verification: OK

— The job succeeded; the demo took 5.7 s.
`;

test('a recording of the demo names neither this machine nor this run', () => {
  assert.equal(
    recorded(LOG),
    `▸ Install Teleport machine-id
machine-id: version 0.1.0 installed: /home/circleci/machine-id.cjs (SHA-256 …)

▸ Join the Teleport cluster
[   15 ms] configuration read: 1 output, Proxy example.teleport.sh:443
[  214 ms] connected to example.teleport.sh

▸ Show what later steps have
MACHINE_ID_EXPIRES_AT=2026-01-31T12:00:00Z

▸ Reach the Auth Service through the Proxy with the identity
Verification: OK
`,
  );
});

test('two recordings that differ in times alone are the same', () => {
  const other = recorded(LOG.replace('[  214 ms]', '[ 1214 ms]'));
  assert.notEqual(other, recorded(LOG));
  assert.equal(withoutTimes(other), withoutTimes(recorded(LOG)));
});
