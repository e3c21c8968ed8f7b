import assert from 'node:assert/strict';
import test from 'node:test';
import { privateKeyPem } from '../../src/crypto/keys.ts';
import { databaseFiles } from '../../src/outputs/database.ts';
import { identityFile } from '../../src/outputs/identity-files.ts';
import type { DatabaseFormat } from '../../src/outputs/database.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, WRITE_TEST } from '../output-files.ts';
import { golden } from './golden.ts';
import { authorities, identity } from './identity-input.ts';

const certificate = golden('v18', 'tlscert');
const databaseAuthority = golden('v18', 'teleport-database-ca.crt');
const hostAuthorities = golden('v18', 'teleport-host-ca.crt');
const key = privateKeyPem(identity.keyPair).reveal();

const BASE = [...AUTHORITY_FILES, ...IDENTITY_FILES, WRITE_TEST];

const FORMATS: Readonly<Record<DatabaseFormat, Readonly<Record<string, string>>>> = {
  default: {},
  tls: { 'tls.crt': certificate, 'tls.key': key, 'tls.cas': hostAuthorities },
  mongo: { 'mongo.crt': `${certificate}${key}`, 'mongo.cas': databaseAuthority },
  cockroach: {
    'cockroach/node.crt': certificate,
    'cockroach/node.key': key,
    'cockroach/ca.crt': databaseAuthority,
    'cockroach/ca-client.crt': databaseAuthority,
  },
};

for (const format of ['default', 'tls', 'mongo', 'cockroach'] as const) {
  test(`a database output in format ${format} has its files in the order in which tbot writes them`, () => {
    const files = databaseFiles({ identity, authorities }, format);
    const expected = FORMATS[format];
    assert.deepEqual(
      files.map(({ name }) => name),
      [...BASE, ...Object.keys(expected)],
    );
    assert.deepEqual(
      Object.fromEntries(files.slice(BASE.length).map(({ name, contents }) => [name, contents])),
      expected,
    );
  });
}

test('a database output has all authorities, and an identity that trusts those of the hosts', () => {
  const contents = new Map(databaseFiles({ identity, authorities }, 'default').map((file) => [file.name, file]));
  assert.equal(contents.get('teleport-host-ca.crt')?.contents, hostAuthorities);
  assert.equal(contents.get('teleport-database-ca.crt')?.contents, databaseAuthority);
  assert.equal(contents.get('identity')?.contents, identityFile(identity, authorities.host));
  assert.equal(contents.get('tlscert')?.contents, certificate);
});
