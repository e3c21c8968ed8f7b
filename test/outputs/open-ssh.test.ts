import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import {
  clusterKnownHosts,
  clusterSshConfig,
  knownHosts,
  sshConfig,
  type SshConfigInput,
} from '../../src/outputs/ssh-config.ts';
import { makeSshKey, sshKeygen } from '../crypto/ssh-keygen.ts';
import { missing, runProgram } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { LEAF, PROXY, ROOT, sshConfigOf15, sshConfigOf18 } from './identity-input.ts';

const skip = missing('ssh', 'ssh-keygen');

const FOLDERS = ['plain', 'with blanks', `it's`, '"quoted"', '100%h', 'back\\slash', 'ends with \\', '# $HOME `id` ü'];

for (const name of FOLDERS) {
  test(`OpenSSH finds key, certificate and known hosts in a folder named ${name}`, { skip }, async (context) => {
    const { folder, path, settings } = await folderWith(context, name, sshConfigOf18);
    const { stderr } = await runProgram('ssh', ['-v', '-F', path, `node.${ROOT}`]);
    assert.ok(stderr.includes(`debug1: identity file ${shown(join(folder, 'key'))} type -1`), stderr);
    assert.ok(stderr.includes(`debug1: certificate file ${shown(join(folder, 'key-cert.pub'))} type -1`), stderr);
    assert.equal((await settings(`node.${ROOT}`)).get('userknownhostsfile'), join(folder, 'known_hosts'));
  });

  test(
    `OpenSSH starts the proxy command of a folder named ${name} with the words that were meant`,
    { skip },
    async (context) => {
      const { folder, path } = await folderWith(context, name, sshConfigOf18);
      for (const cluster of [ROOT, LEAF]) {
        await runProgram('ssh', ['-F', path, `alice@node.${cluster}`]);
        assert.deepEqual((await readFile(join(folder, 'words'), 'utf8')).split('\n').slice(0, -1), [
          '--use-openssl-ca',
          'machine id.cjs',
          'ssh-proxy-command',
          `--destination-dir=${folder}`,
          `--proxy-server=${PROXY}:443`,
          `--cluster=${cluster}`,
          '--tls-routing',
          '--no-connection-upgrade',
          '--no-resume',
          '--user=alice',
          `--host=node.${cluster}`,
          '--port=3022',
        ]);
      }
    },
  );
}

test('the Proxy itself has the identity, and neither port nor proxy command', { skip }, async (context) => {
  const { folder, settings } = await folderWith(context, 'plain', sshConfigOf18);
  const got = await settings(PROXY);
  assert.deepEqual(
    [got.get('identityfile'), got.get('port'), got.get('proxycommand')],
    [join(folder, 'key'), '22', undefined],
  );
});

test('a host of another cluster has nothing of it', { skip }, async (context) => {
  const { folder, settings } = await folderWith(context, 'plain', sshConfigOf18);
  const got = await settings('node.elsewhere.example.com');
  assert.notEqual(got.get('identityfile'), join(folder, 'key'));
  assert.equal(got.get('proxycommand'), undefined);
});

test('OpenSSH takes RSA host certificates, and only them, of clusters before 17', { skip }, async (context) => {
  const { settings } = await folderWith(context, 'plain', sshConfigOf15);
  const algorithms = (await settings(`node.${ROOT}`)).get('hostkeyalgorithms')?.split(',');
  assert.deepEqual(algorithms, [
    'rsa-sha2-512-cert-v01@openssh.com',
    'rsa-sha2-256-cert-v01@openssh.com',
    'ssh-rsa-cert-v01@openssh.com',
  ]);
});

test('a cluster’s own ssh_config can be included in a block of the user’s', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const input = { ...sshConfigOf18, destinationPath: folder };
  await writeFile(join(folder, 'cluster.ssh_config'), clusterSshConfig(input, ROOT, true));
  const path = join(folder, 'config');
  await writeFile(path, `Host web\n    Include ${folder}/cluster.ssh_config\n`);
  const got = await effective(path, 'web');
  assert.equal(got.get('userknownhostsfile'), join(folder, `${ROOT}.known_hosts`));
  assert.equal(got.get('port'), '3022');
  assert.equal((await effective(path, 'other')).get('port'), '22');
});

test('ssh-keygen finds the authority of the Proxy, of the clusters and of their nodes', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const authority = await publicKey(folder, 'authority');
  const leafAuthority = await publicKey(folder, 'leaf');
  const clusters = [
    { clusterName: ROOT, tlsCertificatesPem: [], sshPublicKeys: [authority] },
    { clusterName: LEAF, tlsCertificatesPem: [], sshPublicKeys: [leafAuthority] },
  ];
  const path = join(folder, 'known_hosts');
  await writeFile(path, knownHosts(clusters, PROXY));
  const found = async (host: string) => keysIn(await runProgram('ssh-keygen', ['-F', host, '-f', path]));
  assert.deepEqual(await found(PROXY), [authority, leafAuthority]);
  assert.deepEqual(await found(`node.${ROOT}`), [authority]);
  assert.deepEqual(await found(LEAF), [leafAuthority]);
  assert.deepEqual(await found('elsewhere.example.com'), []);
  await writeFile(
    path,
    clusterKnownHosts({ clusterName: LEAF, tlsCertificatesPem: [], sshPublicKeys: [leafAuthority] }),
  );
  assert.deepEqual(await found('web'), [leafAuthority]);
});

/** A folder with our `ssh_config`, whose proxy command writes its words into the file `words`. */
async function folderWith(context: test.TestContext, name: string, input: SshConfigInput) {
  const folder = join(await temporaryFolder(context), name);
  await mkdir(folder);
  const program = join(folder, 'show words');
  await writeFile(program, `#!/bin/sh\nprintf '%s\\n' "$@" > "$(dirname "$0")/words"\n`);
  await chmod(program, 0o700);
  const path = join(folder, 'ssh_config');
  const own = { ...input, destinationPath: folder, nodePath: program, bundlePath: 'machine id.cjs' };
  await writeFile(path, sshConfig(own, ROOT, [LEAF]));
  return { folder, path, settings: (host: string) => effective(path, host) };
}

/** As ssh writes a path into its log. */
function shown(path: string): string {
  return [...Buffer.from(path.replaceAll('\\', '\\\\'), 'utf8')]
    .map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`))
    .join('');
}

/** What `ssh -G` says would hold for a host. */
async function effective(path: string, host: string): Promise<Map<string, string>> {
  const { exitCode, stdout, stderr } = await runProgram('ssh', ['-G', '-F', path, host]);
  assert.equal(exitCode, 0, stderr);
  return new Map(
    stdout.split('\n').map((line) => {
      const [key = '', ...values] = line.split(' ');
      return [key, values.join(' ')];
    }),
  );
}

async function publicKey(folder: string, name: string): Promise<string> {
  return (await sshKeygen('-y', '-f', await makeSshKey(folder, 'ed25519', name))).split(' ').slice(0, 2).join(' ');
}

/** The keys of the lines that `ssh-keygen -F` printed. */
function keysIn({ stdout }: { readonly stdout: string }): string[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('@cert-authority '))
    .map((line) => line.split(' ').slice(2, 4).join(' '));
}
