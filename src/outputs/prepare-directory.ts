/** Makes a destination's directory ready before anything is asked of the cluster. */
import { join, resolve } from 'node:path';
import { errorCode } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import type { DirectoryDestination } from './destination.ts';
import { occupied, unusablePath, unwritable } from './destination-error.ts';
import { components, refuseSymlinks } from './destination-path.ts';
import { directoryWarnings } from './directory-warnings.ts';
import { recoverDirectory } from './recover-directory.ts';
import { temporaryName } from './temporary-name.ts';
import type { WriteRecord } from './write-record.ts';

export interface PreparedDirectory {
  /** Absolute. */
  readonly path: string;
  /** Sentences for a person to read. */
  readonly warnings: readonly string[];
}

/**
 * Makes what is missing of the path (each directory 0700), puts in order what a run that was killed has left there, and
 * proves that files can be made there.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function prepareDirectory(
  files: Files,
  destination: DirectoryDestination,
  workingDirectory: string,
  record: Pick<WriteRecord, 'directory'>,
): Promise<PreparedDirectory> {
  const path = resolve(workingDirectory, destination.path);
  if (/\p{Cc}/u.test(path)) throw unusablePath(path);
  try {
    await refuseSymlinks(files, path, destination.symlinks);
    for (const component of components(path)) await makeDirectory(files, component, record);
    // Somebody may have been faster than we with one of the directories, and have made a link.
    await refuseSymlinks(files, path, destination.symlinks);
    const remainders = await recoverDirectory(files, path, destination.symlinks);
    await proveWritable(files, path);
    const left = remainders.map(
      (one) => `${one.path}, left by a run that was killed, cannot be removed: ${one.reason}`,
    );
    return { path, warnings: [...left, ...(await directoryWarnings(files, destination, path, workingDirectory))] };
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** @throws MachineIdError DESTINATION_UNWRITABLE when something else stands there */
export async function makeDirectory(files: Files, path: string, record: Pick<WriteRecord, 'directory'>): Promise<void> {
  const there = await files.entry(path);
  if (there?.kind === 'file' || there?.kind === 'other') throw occupied(path, 'directory');
  if (there !== undefined) return;
  try {
    await files.makeDirectory(path);
    await record.directory(path);
  } catch (error) {
    // Another output of this run, or another job on this machine, may have been faster.
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

async function proveWritable(files: Files, path: string): Promise<void> {
  const probe = join(path, temporaryName(files));
  await files.createFile(probe, '');
  await files.remove(probe);
}
