import assert from 'node:assert/strict';
import test from 'node:test';
import { privateKeyPem } from '../../src/crypto/keys.ts';
import { sshHostFiles } from '../../src/outputs/ssh-host.ts';
import { golden, goldenNames } from './golden.ts';
import { authorities, identity } from './identity-input.ts';

const files = sshHostFiles({
  keyPair: identity.keyPair,
  certificateLine: 'ssh-rsa-cert-v01@openssh.com AAAAhost',
  userAuthorities: authorities.user.slice(0, 1),
});

test('an SSH host has its files in the order in which tbot writes them', () => {
  const names = files.map(({ name }) => name);
  assert.deepEqual(names, ['ssh_host-cert.pub', 'ssh_host', 'ssh_host-user-ca.pub', '.write-test']);
  assert.deepEqual(goldenNames('ssh-host'), names.toSorted());
});

for (const { name, contents } of files) {
  test(`the file ${name} of an SSH host is its golden`, () => {
    const expected = golden('ssh-host', name).replace('<private key>\n', privateKeyPem(identity.keyPair).reveal());
    assert.equal(contents, expected);
  });
}
