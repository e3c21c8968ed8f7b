/** Reads the files that an earlier `run` wrote. */
import { join } from 'node:path';
import { fileFault } from '../effects/file-error.ts';
import { utcTime } from '../crypto/validity.ts';
import { MachineIdError } from '../errors.ts';
import { readStoredIdentity, type StoredIdentity } from '../outputs/stored-identity.ts';
import type { World } from '../effects/world.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * One file holds key, certificate and authorities, so that a run that replaces them meanwhile cannot give parts of two.
 * @throws MachineIdError IDENTITY_UNREADABLE, also for a certificate that has ended
 */
export async function readDestinationIdentity(
  { clock, files }: Pick<World, 'clock' | 'files'>,
  directory: string,
): Promise<StoredIdentity> {
  const path = join(directory, 'identity');
  const identity = parse(await read(files, path), path);
  if (identity === undefined) throw identityUnreadable(`${path} does not hold a key and a certificate`);
  const { notAfterMs } = identity;
  if (notAfterMs <= clock.nowMs()) {
    throw new MachineIdError('IDENTITY_UNREADABLE', `the certificate in ${path} ended at ${utcTime(notAfterMs)}`, {
      hint: 'Call run again before this step, or ask for a longer certificate_ttl.',
    });
  }
  return identity;
}

async function read(files: World['files'], path: string): Promise<string> {
  try {
    return await files.readText(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    throw identityUnreadable(`cannot read ${path}: ${fileFault(cause)}`, cause);
  }
}

function parse(text: string, path: string): StoredIdentity | undefined {
  try {
    return readStoredIdentity(text);
  } catch (cause) {
    throw identityUnreadable(`${path} holds a certificate that cannot be read`, cause);
  }
}

export function identityUnreadable(message: string, cause?: unknown): MachineIdError {
  return new MachineIdError('IDENTITY_UNREADABLE', message, {
    hint: 'Call run earlier in the job, with an output to this directory, as the same user.',
    cause,
  });
}
