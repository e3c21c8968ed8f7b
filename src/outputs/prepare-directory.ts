/** Makes a destination's directory ready before anything is asked of the cluster. */
import { isAbsolute, join, relative, resolve } from 'node:path';
import { errorCode, type Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';
import type { DirectoryDestination } from './destination.ts';
import { components, refuseSymlinks } from './destination-path.ts';
import { temporaryName } from './temporary-name.ts';

export interface PreparedDirectory {
  /** Absolute. */
  readonly path: string;
  /** Sentences for a person to read. */
  readonly warnings: readonly string[];
}

/**
 * Makes what is missing of the path (each directory 0700) and proves that files can be made there.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function prepareDirectory(
  files: Files,
  destination: DirectoryDestination,
  workingDirectory: string,
): Promise<PreparedDirectory> {
  const path = resolve(workingDirectory, destination.path);
  try {
    await refuseSymlinks(files, path, destination.symlinks);
    for (const component of components(path)) await makeDirectory(files, component);
    const probe = join(path, temporaryName('write-test'));
    await files.createFile(probe, '');
    await files.remove(probe);
    return { path, warnings: await directoryWarnings(files, path, workingDirectory) };
  } catch (error) {
    throw unwritable(path, error);
  }
}

async function makeDirectory(files: Files, path: string): Promise<void> {
  const there = await files.entry(path);
  if (there === undefined) {
    try {
      await files.makeDirectory(path);
    } catch (error) {
      // Another output of this run, or another job on this machine, may have been faster.
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    return;
  }
  if (there.kind === 'file' || there.kind === 'other') throw notADirectory(path);
}

async function directoryWarnings(files: Files, path: string, workingDirectory: string): Promise<string[]> {
  const warnings: string[] = [];
  const there = await files.entry(path);
  if (there?.kind === 'directory' && files.platform !== 'win32' && (there.mode & 0o077) !== 0) {
    warnings.push(
      `${path} can be looked into by other users (mode ${there.mode.toString(8)}); the files in it cannot be read by them`,
    );
  }
  if (isInside(path, workingDirectory)) {
    warnings.push(`${path} lies in the working directory: caches, workspaces and artifacts may carry the keys away`);
  }
  return warnings;
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}

function notADirectory(path: string): MachineIdError {
  return new MachineIdError('DESTINATION_UNWRITABLE', `Path "${path}" already exists and is not a directory`, {
    hint: 'Give the destination another path, or remove what stands there.',
  });
}

/** A file system error becomes one that names the destination; a MachineIdError passes through. */
export function unwritable(path: string, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const code = errorCode(cause);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new MachineIdError('DESTINATION_UNWRITABLE', `there is no permission to write to ${path} (${code})`, {
      hint: 'Give a destination that the user of this job may write to, below the home directory for example.',
      cause,
    });
  }
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new MachineIdError('DESTINATION_UNWRITABLE', `cannot write to ${path}: ${detail}`, {
    hint: 'Check the path, the space on the disk and the rights of the user of this job.',
    cause,
  });
}
