/** Keys and certificates made by OpenSSH's own ssh-keygen. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../programs.ts';

/** By the names of our own: the curve where there is one. */
export const SSH_KEY_TYPES = {
  rsa: ['-t', 'rsa', '-b', '2048'],
  'ecdsa p-256': ['-t', 'ecdsa', '-b', '256'],
  'ecdsa p-384': ['-t', 'ecdsa', '-b', '384'],
  'ecdsa p-521': ['-t', 'ecdsa', '-b', '521'],
  ed25519: ['-t', 'ed25519'],
} as const;

export type SshKeyType = keyof typeof SSH_KEY_TYPES;

export const sshKeyTypes: readonly SshKeyType[] = ['rsa', 'ecdsa p-256', 'ecdsa p-384', 'ecdsa p-521', 'ed25519'];

/** What ssh-keygen prints. Times are in UTC. */
export async function sshKeygen(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram('env', ['TZ=UTC', 'ssh-keygen', ...args]);
  if (exitCode !== 0) throw new Error(`ssh-keygen ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

/** @returns the path of the private key; the public key lies beside it, with `.pub` */
export async function makeSshKey(folder: string, type: SshKeyType, name: string): Promise<string> {
  const path = join(folder, name);
  await sshKeygen('-q', ...SSH_KEY_TYPES[type], '-N', '', '-C', 'a comment', '-f', path);
  return path;
}

/** @returns the line of the certificate, and the path of its file */
export async function certify(
  authority: string,
  key: string,
  ...args: readonly string[]
): Promise<{ readonly line: string; readonly path: string }> {
  await sshKeygen('-q', '-s', authority, ...args, `${key}.pub`);
  const path = `${key}-cert.pub`;
  return { line: (await readFile(path, 'utf8')).trim(), path };
}
