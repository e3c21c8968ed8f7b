/** A real OpenSSH server that trusts a cluster's user authority, as a node without a Teleport agent does. */
import { spawn } from 'node:child_process';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';
import { openSshPrivateKey } from './openssh-key.ts';
import { program, runProgram } from './programs.ts';

export interface Sshd {
  readonly port: number;
  /** What the server said so far. */
  readonly log: () => string;
}

const StoredAuthorities = z.array(z.object({ cluster: z.string(), type: z.string(), sshKey: z.string().optional() }));

/**
 * @param hostName the name in the server's host certificate
 * @param hostCluster whose host authority signs that certificate; users are always the joined cluster's
 */
export async function startSshd(
  context: TestContext,
  cluster: Cluster,
  folder: string,
  hostName: string,
  hostCluster = cluster.info.cluster,
): Promise<Sshd> {
  const file = (name: string) => join(folder, name);
  await writeAuthority(await authorityKey(cluster, cluster.info.cluster, 'user'), file('user_ca'));
  await writeAuthority(await authorityKey(cluster, hostCluster, 'host'), file('host_ca'));
  await keygen('-q', '-t', suiteOf(cluster) === 'legacy' ? 'rsa' : 'ed25519', '-N', '', '-f', file('host_key'));
  await keygen('-q', '-s', file('host_ca'), '-I', hostName, '-h', '-n', hostName, file('host_key.pub'));
  const port = await freePort();
  await writeFile(file('sshd_config'), sshdConfig(port, file));
  prepareForRoot();
  const server = spawn(program('sshd'), ['-D', '-e', '-f', file('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
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

function sshdConfig(port: number, file: (name: string) => string): string {
  return `Port ${String(port)}
ListenAddress 127.0.0.1
HostKey ${file('host_key')}
HostCertificate ${file('host_key-cert.pub')}
TrustedUserCAKeys ${file('user_ca.pub')}
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
LogLevel VERBOSE
Subsystem sftp internal-sftp
`;
}

/** As root the server wants the directory into which it confines the part that talks to strangers. */
function prepareForRoot(): void {
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
}

/** Both halves of the authority's SSH key, in files that ssh-keygen and sshd read. */
async function writeAuthority(key: KeyObject, path: string): Promise<void> {
  await writeFile(path, privateKeyFile(key), { mode: 0o600 });
  await writeFile(`${path}.pub`, await keygen('-y', '-f', path));
}

/** Before v17 every key of a cluster is an RSA key, those of its nodes too. */
function suiteOf({ info }: Cluster): 'legacy' | 'balanced-v1' {
  return Number(info.teleport.split('.')[0]) >= 17 ? 'balanced-v1' : 'legacy';
}

async function authorityKey(cluster: Cluster, name: string, type: string): Promise<KeyObject> {
  const { info } = cluster;
  const text = await readFile(join(dirname(info.webCa), `authorities-${suiteOf(cluster)}.json`), 'utf8');
  const stored = StoredAuthorities.parse(JSON.parse(text));
  const found = stored.find((authority) => authority.cluster === name && authority.type === type);
  return createPrivateKey(found?.sshKey ?? '');
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

/** sshd cannot be told to pick a port and say which. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}
