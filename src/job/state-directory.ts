/** The private directory in which runs of one job leave word for its later steps. */
import { join } from 'node:path';
import { errorCode, fileFault } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type StateFiles = Pick<Files, 'entry' | 'makeDirectory' | 'userId'>;

const WRITABLE_BY_OTHERS = 0o022;

/** In the order of trying: the home directory may be missing or read-only. */
export function stateDirectories({ HOME, TMPDIR }: Environment, userId: number | undefined): readonly string[] {
  const temporary = join(
    TMPDIR === undefined || TMPDIR === '' ? '/tmp' : TMPDIR,
    `teleport-machine-id-${userId ?? 'user'}`,
  );
  return HOME ? [join(HOME, '.teleport-machine-id'), temporary] : [temporary];
}

export type StateOutcome<T> =
  | { readonly value: T; readonly failures?: undefined }
  /** Why none of the directories could be used: each with its path. */
  | { readonly value?: undefined; readonly failures: readonly string[] };

/**
 * Does work that writes into the first directory in which it succeeds: a disk may be full or become read-only at any time.
 * A directory is made where it is missing, and not used when others may write to it.
 */
export async function inStateDirectory<T>(
  files: StateFiles,
  environment: Environment,
  work: (directory: string) => Promise<T>,
): Promise<StateOutcome<T>> {
  const failures: string[] = [];
  for (const path of stateDirectories(environment, files.userId)) {
    try {
      await make(files, path);
      if (!(await isPrivate(files, path))) throw new Error('it is not a directory that only this user may write to');
      return { value: await work(path) };
    } catch (error) {
      failures.push(`${path}: ${fileFault(error)}`);
    }
  }
  return { failures };
}

/** Whether others can have planted something there. */
export async function isPrivate(files: Pick<Files, 'entry' | 'userId'>, path: string): Promise<boolean> {
  const entry = await files.entry(path);
  if (entry?.kind !== 'directory') return false;
  // Windows has neither owners nor such bits.
  return files.userId === undefined || (entry.userId === files.userId && (entry.mode & WRITABLE_BY_OTHERS) === 0);
}

async function make(files: StateFiles, path: string): Promise<void> {
  try {
    await files.makeDirectory(path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}
