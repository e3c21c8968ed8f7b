import assert from 'node:assert/strict';
import test from 'node:test';
import { privateKeyPem } from '../../src/crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import { identityFiles, type IdentityFilesInput } from '../../src/outputs/identity.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, WRITE_TEST } from '../output-files.ts';
import { golden, goldenNames } from './golden.ts';
import { authorities, identity, LEAF, PROXY, ROOT, sshConfigOf18 } from './identity-input.ts';

const input: IdentityFilesInput = {
  identity,
  authorities,
  clusterName: ROOT,
  ssh: { proxyHost: PROXY, config: sshConfigOf18 },
};

const BEFORE_SSH = [...AUTHORITY_FILES, ...IDENTITY_FILES, WRITE_TEST];

const names = (change: Partial<IdentityFilesInput>) => identityFiles({ ...input, ...change }).map(({ name }) => name);

test('an identity in a directory has its files in the order in which tbot writes them', () => {
  assert.deepEqual(names({}), [
    ...BEFORE_SSH,
    'known_hosts',
    `${ROOT}.ssh_config`,
    `${ROOT}.known_hosts`,
    `${LEAF}.ssh_config`,
    `${LEAF}.known_hosts`,
    'ssh_config',
  ]);
});

test('elsewhere than in a directory an identity has known_hosts and no ssh_config', () => {
  assert.deepEqual(names({ ssh: { proxyHost: PROXY, config: undefined } }), [...BEFORE_SSH, 'known_hosts']);
});

test('with ssh_config off an identity has nothing for OpenSSH but the key', () => {
  assert.deepEqual(names({ ssh: undefined }), BEFORE_SSH);
});

test('the own cluster comes first for OpenSSH, wherever the server names it', () => {
  const host = [...authorities.host].reverse();
  const files = identityFiles({ ...input, authorities: { ...authorities, host } });
  for (const name of ['known_hosts', 'ssh_config']) {
    assert.equal(files.find((file) => file.name === name)?.contents, golden('v18', name));
  }
});

test('an authority without certificates is an empty file', () => {
  const files = identityFiles({ ...input, authorities: { ...authorities, database: [] } });
  assert.deepEqual(files[2], { name: 'teleport-database-ca.crt', contents: '' });
});

test('there is a golden for every file of an identity', () => {
  assert.deepEqual(goldenNames('v18'), names({}).sort());
});

for (const { name, contents } of identityFiles(input)) {
  test(`the file ${name} is its golden`, () => {
    const expected = golden('v18', name)
      .replace('<private key>\n', privateKeyPem(identity.keyPair).reveal())
      .replace('<public key>', formatAuthorizedKey(sshPublicKey(identity.keyPair.publicKey)));
    assert.equal(contents, expected);
  });
}
