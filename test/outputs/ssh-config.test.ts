import assert from 'node:assert/strict';
import test from 'node:test';
import { clusterSshConfig, sshConfig, type SshConfigInput } from '../../src/outputs/ssh-config.ts';
import { golden } from './golden.ts';
import { ROOT, sshConfigOf15, sshConfigOf18 } from './identity-input.ts';

test('a cluster of version 15 without TLS routing has its golden, with the RSA host key algorithms', () => {
  assert.equal(sshConfig(sshConfigOf15, ROOT, []), golden('v15', 'ssh_config'));
  assert.equal(clusterSshConfig(sshConfigOf15, ROOT, true), golden('v15', `${ROOT}.ssh_config`));
});

test('the RSA host key algorithms are named up to version 16', () => {
  const majors = [15, 16, 17, 18].filter((serverMajor) =>
    sshConfig({ ...sshConfigOf18, serverMajor }, ROOT, []).includes('HostKeyAlgorithms'),
  );
  assert.deepEqual(majors, [15, 16]);
});

test('where no shell has env, the proxy command begins with Node', () => {
  const config = clusterSshConfig({ ...sshConfigOf18, nodeOptions: undefined }, ROOT, true);
  assert.match(config, /^ProxyCommand '\/usr\/bin\/node' /m);
});

test('a path with blanks, quotes, per cent signs and backslashes has its golden', () => {
  const odd: SshConfigInput = {
    ...sshConfigOf18,
    destinationPath: `/home/it's "100%" \\ id`,
    nodePath: '/opt/my node/bin/node',
    nodeOptions: '--use-openssl-ca --openssl-config="/a b"',
  };
  assert.equal(clusterSshConfig(odd, ROOT, true), golden('odd-path', `${ROOT}.ssh_config`));
});

test('the proxy command starts without the public authorities, unless it needs them or NODE_OPTIONS chooses others', () => {
  const startsWithout = (change: Partial<SshConfigInput>) =>
    clusterSshConfig({ ...sshConfigOf18, ...change }, ROOT, true).includes("'/usr/bin/node' --use-openssl-ca '");
  assert.equal(startsWithout({}), true);
  assert.equal(startsWithout({ nodeOptions: undefined }), true);
  assert.equal(startsWithout({ nodeOptions: '--max-old-space-size=512' }), true);
  assert.equal(startsWithout({ connectionUpgrade: { caFile: undefined, insecure: false } }), false);
  for (const nodeOptions of ['--use-system-ca', '--use_bundled_ca', '--use-openssl-ca']) {
    assert.equal(startsWithout({ nodeOptions }), false, nodeOptions);
  }
});

test('no word of the proxy command can begin another line', () => {
  const text = clusterSshConfig({ ...sshConfigOf18, nodePath: '/opt/a\nPort 1' }, ROOT, true);
  assert.equal(text.split('\n').length, clusterSshConfig(sshConfigOf18, ROOT, true).split('\n').length);
});

test('an older root does not shut out the hosts of a leaf, which may have other keys', () => {
  const text = sshConfig(sshConfigOf15, ROOT, ['leaf.example.com']);
  assert.equal(text.split('HostKeyAlgorithms').length, 2);
  assert.ok(text.indexOf('HostKeyAlgorithms') < text.indexOf('leaf.example.com'));
  assert.ok(!clusterSshConfig(sshConfigOf15, 'leaf.example.com', false).includes('HostKeyAlgorithms'));
});
