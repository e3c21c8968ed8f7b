/** Reads the files that an earlier `run` wrote. */
import { join } from 'node:path';
import { MachineIdError } from '../errors.ts';
import type { World } from '../effects/world.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/** @throws MachineIdError IDENTITY_UNREADABLE */
export async function readDestinationFile(
  { files }: Pick<World, 'files'>,
  directory: string,
  name: string,
): Promise<string> {
  const path = join(directory, name);
  try {
    return await files.readText(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    throw identityUnreadable(`cannot read ${path}`, cause);
  }
}

export function identityUnreadable(message: string, cause?: unknown): MachineIdError {
  return new MachineIdError('IDENTITY_UNREADABLE', message, {
    hint: 'Call run earlier in the job, with an output to this directory, as the same user.',
    cause,
  });
}
