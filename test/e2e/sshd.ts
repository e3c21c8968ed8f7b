/**
 * A real OpenSSH server that trusts a cluster's user authority, like a node without a Teleport agent. It can also check
 * the roles in a certificate, like an agent, and refuse inside SSH.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { createKey } from '../cluster/crypto/keys.ts';
import { encodeSshPublicKey, toAuthorizedKey } from '../cluster/crypto/ssh-public-key.ts';
import { authorityOf, sshKeys } from '../cluster/data/authorities.ts';
import { suiteOf } from './authority-keys.ts';
import { openSshPrivateKey } from './openssh-key.ts';
import { freePort } from './free-port.ts';
import { bounded, FILE_MS, program, runProgram } from '../programs.ts';

export interface Sshd {
  readonly port: number;
  /** The server's log so far. */
  readonly log: () => string;
}

/** Files that sshd reads. */
export interface SshdFiles {
  readonly hostKey: string;
  readonly hostCertificate: string;
  readonly trustedUserCaKeys: string;
  /** A script for sh that prints the accepted principals for a login and a certificate in base64. */
  readonly principalsScript?: string;
}

/** A login that holders of a role have on a node. */
export interface Admission {
  readonly role: string;
  readonly login: string;
}

export interface SshdOptions {
  /** The name in the server's host certificate. */
  readonly hostName: string;
  /**
   * The cluster whose host authority signs that certificate, by default the joined one. Users are always those of the
   * joined cluster.
   */
  readonly hostCluster?: string;
  /** The users that the server accepts; by default all whose certificate has the login as a principal. */
  readonly admits?: readonly Admission[];
}

export async function startSshd(
  context: TestContext,
  cluster: Cluster,
  folder: string,
  { hostName, hostCluster = cluster.info.cluster, admits }: SshdOptions,
): Promise<Sshd> {
  const file = (name: string) => join(folder, name);
  const { authorities } = cluster.world;
  const users = authorityOf(authorities, cluster.info.cluster, 'user');
  await writeFile(file('user_cas'), sshKeys(users).map(toAuthorizedKey).join(''));
  await writeKey(authorityOf(authorities, hostCluster, 'host').servers.sshKey, file('host_ca'));
  const hostKey = await createKey(suiteOf(cluster) === 'legacy' ? 'rsa' : 'ed25519');
  await writeKey(hostKey, file('host_key'));
  await writeFile(file('host_key.pub'), toAuthorizedKey(encodeSshPublicKey(hostKey)));
  await keygen('-q', '-s', file('host_ca'), '-I', hostName, '-h', '-n', hostName, file('host_key.pub'));
  if (admits !== undefined) await writeFile(file('principals.sh'), principalsScript(admits));
  return startSshdWith(context, folder, {
    hostKey: file('host_key'),
    hostCertificate: file('host_key-cert.pub'),
    trustedUserCaKeys: file('user_cas'),
    ...(admits === undefined ? {} : { principalsScript: file('principals.sh') }),
  });
}

/** Prints the login if one of the roles in the certificate allows it. The certificate must have it as a principal too. */
function principalsScript(admits: readonly Admission[]): string {
  const patterns = admits.map(({ login, role }) => `  '${login} '*'"${role}"'*) echo '${login}' ;;\n`);
  return `login=$1
roles=$(printf %s "$2" | base64 -d | LC_ALL=C grep -ao '"roles":\\[[^]]*\\]')
case "$login $roles" in
${patterns.join('')}esac
`;
}

/** @param folder for the server's configuration */
export async function startSshdWith(context: TestContext, folder: string, files: SshdFiles): Promise<Sshd> {
  const port = await freePort();
  const configuration = join(folder, 'sshd_config');
  await writeFile(configuration, sshdConfig(port, files));
  prepareForRoot();
  const args = ['-D', '-e', '-f', configuration];
  const server = bounded(spawn(program('sshd'), args, { stdio: ['ignore', 'ignore', 'pipe'] }), FILE_MS);
  context.after(() => server.kill('SIGTERM'));
  let said = '';
  const log = () => said;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => {
      reject(new Error(`sshd ended: ${said}`));
    });
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Server listening')) resolve();
    });
  });
  return { port, log };
}

function sshdConfig(port: number, files: SshdFiles): string {
  const { hostKey, hostCertificate, trustedUserCaKeys, principalsScript } = files;
  return `Port ${String(port)}
ListenAddress 127.0.0.1
HostKey ${hostKey}
HostCertificate ${hostCertificate}
TrustedUserCAKeys ${trustedUserCaKeys}
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
LogLevel VERBOSE
Subsystem sftp internal-sftp
${principalsScript === undefined ? '' : principalsCommand(principalsScript)}`;
}

/** sshd requires that the program belongs to root, which is true for sh. */
function principalsCommand(script: string): string {
  return `AuthorizedPrincipalsCommand /bin/sh ${script} %u %k
AuthorizedPrincipalsCommandUser ${userInfo().username}
`;
}

/** As root, sshd requires the directory to which it confines its unauthenticated part. */
function prepareForRoot(): void {
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
}

/** In a file that ssh-keygen reads. */
async function writeKey(key: KeyObject | undefined, path: string): Promise<void> {
  assert.ok(key);
  await writeFile(path, privateKeyFile(key), { mode: 0o600 });
}

function privateKeyFile(key: KeyObject): string {
  return key.asymmetricKeyType === 'ed25519'
    ? openSshPrivateKey(key)
    : key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function keygen(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram('ssh-keygen', args);
  if (exitCode !== 0) throw new Error(`ssh-keygen ${args.join(' ')}: ${stderr}`);
  return stdout;
}
