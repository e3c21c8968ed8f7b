/** The private directory that Teleport's programs are installed into. */
import { dirname } from 'node:path';
import { errorCode, fileErrorText } from '../../effects/file-error.ts';
import type { Files } from '../../effects/files.ts';
import { MachineIdError } from '../../errors.ts';

const WRITABLE_BY_OTHERS = 0o022;

type DirectoryFiles = Pick<Files, 'entry' | 'makeDirectory' | 'userId'>;

/**
 * Creates the directory and its missing parents with mode 0700. Rejects a directory in which others could replace a
 * program.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function prepareDirectory(files: DirectoryFiles, path: string): Promise<void> {
  try {
    await makeDirectories(files, path);
  } catch (error) {
    throw unwritable(path, error);
  }
  const entry = await files.entry(path);
  // Windows has no owners or mode bits.
  const own = files.userId === undefined || entry?.userId === files.userId;
  const others = files.userId !== undefined && ((entry?.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0;
  if (entry?.kind === 'directory' && own && !others) return;
  throw new MachineIdError(
    'DESTINATION_UNSAFE',
    `${path} belongs to another user, is a link, or is writable by other users`,
    {
      hint: 'Set --dir (orb parameter tools_dir) to a private directory of this user.',
    },
  );
}

/** Creates a directory and its missing parents. Existing directories are not changed. */
export async function makeDirectories(files: Pick<DirectoryFiles, 'makeDirectory'>, path: string): Promise<void> {
  try {
    await files.makeDirectory(path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectories(files, dirname(path));
    await makeDirectories(files, path);
  }
}

/** Wraps an error of the file system; returns any other error unchanged. */
export function unwritable(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof MachineIdError || code === undefined) return error;
  return new MachineIdError(
    'DESTINATION_UNWRITABLE',
    `Teleport's programs cannot be installed into ${path}: ${fileErrorText(error)}`,
    {
      hint: 'Set --dir (orb parameter tools_dir) to a directory that this user can write to, with several hundred megabytes of free space.',
      cause: error,
    },
  );
}
