import assert from 'node:assert/strict';
import test from 'node:test';
import { privateKeyPem } from '../../src/crypto/keys.ts';
import { applicationFiles } from '../../src/outputs/application.ts';
import { identityFile } from '../../src/outputs/identity-files.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, WRITE_TEST } from '../output-files.ts';
import { golden } from './golden.ts';
import { authorities, identity } from './identity-input.ts';

const filesOf = (specificTlsNaming: boolean) => applicationFiles({ identity, authorities }, { specificTlsNaming });
const contentsOf = (name: string) => filesOf(true).find((file) => file.name === name)?.contents;

test('an application output has its files in the order in which tbot writes them', () => {
  const names = filesOf(false).map(({ name }) => name);
  assert.deepEqual(names, [...IDENTITY_FILES, WRITE_TEST, ...AUTHORITY_FILES]);
});

test('specific_tls_naming adds certificate, key and authorities between the key and the authority files', () => {
  const names = filesOf(true).map(({ name }) => name);
  assert.deepEqual(names, [...IDENTITY_FILES, WRITE_TEST, 'tls.crt', 'tls.key', 'tls.cas', ...AUTHORITY_FILES]);
});

for (const [name, same] of [
  ['tlscert', 'tlscert'],
  ['tls.crt', 'tlscert'],
  ['tls.cas', 'teleport-host-ca.crt'],
  ['teleport-host-ca.crt', 'teleport-host-ca.crt'],
  ['teleport-user-ca.crt', 'teleport-user-ca.crt'],
  ['teleport-database-ca.crt', 'teleport-database-ca.crt'],
] as const) {
  test(`${name} of an application is as written by hand`, () => {
    assert.equal(contentsOf(name), golden('v18', same));
  });
}

test('key, tls.key and the identity file hold the one key of the output', () => {
  const key = privateKeyPem(identity.keyPair).reveal();
  assert.equal(contentsOf('key'), key);
  assert.equal(contentsOf('tls.key'), key);
  assert.equal(contentsOf('identity'), identityFile(identity, authorities.host));
});
