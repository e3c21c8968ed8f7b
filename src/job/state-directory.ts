/** The private directory in which runs of one job leave word for its later steps. */
import { join } from 'node:path';
import { errorCode, type Files } from '../effects/files.ts';

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

/** The first that is there, or can be made, and that nobody else may write to; undefined without one. */
export async function openStateDirectory(files: StateFiles, environment: Environment): Promise<string | undefined> {
  for (const path of stateDirectories(environment, files.userId)) {
    if ((await make(files, path)) && (await isPrivate(files, path))) return path;
  }
  return undefined;
}

/** Whether others can have planted something there. */
export async function isPrivate(files: Pick<Files, 'entry' | 'userId'>, path: string): Promise<boolean> {
  const entry = await files.entry(path);
  if (entry?.kind !== 'directory') return false;
  // Windows has neither owners nor such bits.
  return files.userId === undefined || (entry.userId === files.userId && (entry.mode & WRITABLE_BY_OTHERS) === 0);
}

async function make(files: StateFiles, path: string): Promise<boolean> {
  try {
    await files.makeDirectory(path);
    return true;
  } catch (error) {
    return errorCode(error) === 'EEXIST';
  }
}
