/** The private folder that Teleport's programs are installed into. */
import { dirname } from 'node:path';
import { errorCode, fileFault } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';

const WRITABLE_BY_OTHERS = 0o022;

type FolderFiles = Pick<Files, 'entry' | 'makeDirectory' | 'userId'>;

/**
 * Makes what is missing of the path, each folder 0700, and refuses one in which others could swap a program.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function prepareFolder(files: FolderFiles, path: string): Promise<void> {
  try {
    await makeFolder(files, path);
  } catch (error) {
    throw unwritable(path, error);
  }
  const entry = await files.entry(path);
  // Windows has neither owners nor such bits.
  const own = files.userId === undefined || entry?.userId === files.userId;
  const others = files.userId !== undefined && ((entry?.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0;
  if (entry?.kind === 'directory' && own && !others) return;
  throw new MachineIdError(
    'DESTINATION_UNSAFE',
    `${path} belongs to another user, is a link, or others may write to it`,
    {
      hint: 'Give the path of a folder of your own with --dir (orb parameter tools_dir).',
    },
  );
}

/** A folder that stands already is left as it is. */
export async function makeFolder(files: Pick<FolderFiles, 'makeDirectory'>, path: string): Promise<void> {
  try {
    await files.makeDirectory(path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(files, dirname(path));
    await makeFolder(files, path);
  }
}

/** @param error one of Node's; any other error passes through as it is */
export function unwritable(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof MachineIdError || code === undefined) return error;
  return new MachineIdError(
    'DESTINATION_UNWRITABLE',
    `Teleport's programs cannot be installed into ${path}: ${fileFault(error)}`,
    {
      hint: 'Give a folder that this user may write to, with some hundred megabytes of room, with --dir (orb parameter tools_dir).',
      cause: error,
    },
  );
}
