/** A directory that only one process uses: in memory if possible, and removed with everything in it. */
import { join } from 'node:path';
import { fileErrorText } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** CircleCI's Docker executor has the first one, Linux the second. */
const RAM_DISKS: readonly string[] = ['/mnt/ramdisk', '/dev/shm'];
const MAX_MOUNTS_BYTES = 1024 * 1024;

export interface Place {
  /** An existing directory. */
  readonly path: string;
  readonly isInMemory: boolean;
}

/** A RAM disk that this user may write to, otherwise the directory for temporary files. */
export async function privatePlace(
  files: Pick<Files, 'mayWrite' | 'platform' | 'readText'>,
  { TEMP, TMPDIR }: Environment,
): Promise<Place> {
  const inMemory = files.platform === 'linux' ? await mountsInMemory(files) : [];
  for (const path of RAM_DISKS.filter((one) => inMemory.includes(one))) {
    const isWritable = await files.mayWrite(path, 'directory').then(
      () => true,
      () => false,
    );
    if (isWritable) return { path, isInMemory: true };
  }
  const temporary = files.platform === 'win32' ? TEMP : TMPDIR;
  return { path: temporary === undefined || temporary === '' ? '/tmp' : temporary, isInMemory: false };
}

/** proc(5): device, mount point, type and options of each file system; the last one at a place counts. */
async function mountsInMemory(files: Pick<Files, 'readText'>): Promise<readonly string[]> {
  const text = await files.readText('/proc/self/mounts', { maxBytes: MAX_MOUNTS_BYTES }).catch(() => '');
  const types = new Map(text.split('\n').map((line) => [line.split(' ')[1] ?? '', line.split(' ')[2] ?? '']));
  return [...types].filter(([, type]) => type === 'tmpfs' || type === 'ramfs').map(([path]) => path);
}

const MAX_ERASED_BYTES = 16 * 1024 * 1024;

/**
 * Overwrites and removes every file, and removes the directory. Follows no links.
 * @returns why something could not be removed, each with its path; empty if nothing is left
 */
export async function removeTree(files: Files, path: string): Promise<readonly string[]> {
  const kind = (await files.entry(path).catch(() => undefined))?.kind;
  if (kind === undefined) return [];
  try {
    if (kind !== 'directory') {
      if (kind === 'file') await eraseQuietly(files, path);
      await files.remove(path);
      return [];
    }
    const failures: string[] = [];
    for (const name of await files.names(path)) failures.push(...(await removeTree(files, join(path, name))));
    if (failures.length === 0) await files.removeDirectory(path);
    return failures;
  } catch (error) {
    return [`${path}: ${fileErrorText(error)}`];
  }
}

/** What cannot be overwritten is removed as it is. */
async function eraseQuietly(files: Files, path: string): Promise<void> {
  const options = { maxBytes: MAX_ERASED_BYTES, accepts: () => true, keepsHardLinked: true };
  await files.erase(path, options).catch(() => undefined);
}
