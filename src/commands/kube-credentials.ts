/**
 * `kube-credentials`: kubectl runs it, through the exec plugin in our kubeconfig, to get certificate and key. `main.ts` answers most
 * of these calls by itself; this command explains why there is nothing to answer.
 */
import { join, resolve } from 'node:path';
import { type Flag, parseFlags } from '../cli/flags.ts';
import { utcTime } from '../crypto/validity.ts';
import { fileErrorText } from '../effects/file-error.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import { readStoredIdentity, type StoredIdentity } from '../teleport/stored-identity.ts';
import { execCredential, IDENTITY_FILE, MAX_IDENTITY_BYTES } from './exec-credential.ts';

export const KUBE_CREDENTIALS_FLAGS: readonly Flag[] = [
  { name: 'destination-dir', value: 'DIR', help: 'Directory with a kubernetes output of run.' },
];

/** @throws MachineIdError USAGE_INVALID, IDENTITY_UNREADABLE */
export async function kubeCredentials(args: readonly string[], world: World): Promise<void> {
  const [destination = ''] = parseFlags(KUBE_CREDENTIALS_FLAGS, args).get('destination-dir') ?? [];
  if (destination === '') {
    throw new MachineIdError('USAGE_INVALID', 'the command line is invalid', {
      hint: 'This command is meant for the kubeconfig.yaml that run writes.',
      problems: [{ path: '--destination-dir', message: 'is missing' }],
    });
  }
  const directory = resolve(world.workingDirectory, destination);
  const identity = await readDestinationIdentity(world, directory);
  await world.result(execCredential(identity, world.clock.nowMs()));
}

// Reads the files that an earlier `run` wrote.

/**
 * One file contains key, certificate and authorities, so that a run which replaces them meanwhile cannot mix two sets.
 * @throws MachineIdError IDENTITY_UNREADABLE, also for an expired certificate
 */
export async function readDestinationIdentity(
  { clock, files }: Pick<World, 'clock' | 'files'>,
  directory: string,
): Promise<StoredIdentity> {
  const path = join(directory, IDENTITY_FILE);
  const identity = parse(await read(files, path), path);
  if (identity === undefined) throw identityUnreadable(`${path} does not contain a key and a certificate`);
  const { notAfterMs } = identity;
  if (notAfterMs <= clock.nowMs()) {
    throw new MachineIdError('IDENTITY_UNREADABLE', `the certificate in ${path} expired at ${utcTime(notAfterMs)}`, {
      hint: 'Call run again before this step, or set a longer certificate_ttl.',
    });
  }
  return identity;
}

async function read(files: World['files'], path: string): Promise<string> {
  try {
    return await files.readText(path, { maxBytes: MAX_IDENTITY_BYTES });
  } catch (cause) {
    throw identityUnreadable(`cannot read ${path}: ${fileErrorText(cause)}`, cause);
  }
}

function parse(text: string, path: string): StoredIdentity | undefined {
  try {
    return readStoredIdentity(text);
  } catch (cause) {
    throw identityUnreadable(`${path} contains a certificate that cannot be parsed`, cause);
  }
}

export function identityUnreadable(message: string, cause?: unknown): MachineIdError {
  return new MachineIdError('IDENTITY_UNREADABLE', message, {
    hint: 'Call run earlier in the job, with an output to this directory, as the same user.',
    cause,
  });
}
