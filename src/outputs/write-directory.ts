/** Writes an output's files into its directory, all of them or none. */
import { basename, dirname, join } from 'node:path';
import type { Commands } from '../effects/commands.ts';
import { errorCode, type Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';
import type { DirectoryDestination } from './destination.ts';
import { refuseSymlinks } from './destination-path.ts';
import type { OutputFile } from './output-file.ts';
import { unwritable } from './prepare-directory.ts';
import { grantReaders } from './readers.ts';
import { temporaryName } from './temporary-name.ts';

export interface WriteEffects {
  readonly files: Files;
  readonly commands: Commands;
}

/** A file on its way: complete under a temporary name, beside the one that it replaces. */
interface StagedFile {
  readonly temporary: string;
  readonly target: string;
  /** A second name for the file that stood before, to put it back. */
  readonly backup: string | undefined;
}

/**
 * Every file is first written in full under a temporary name (0600) beside its target, so a failure there leaves the
 * files that stood before; a failure while they are renamed puts those back. A reader sees an old or a new file, never
 * a part of one. Nothing is synced to the disk: what a crash of the machine ends is the job.
 * @param path absolute, prepared
 * @returns sentences for a person to read
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function writeDirectory(
  { files, commands }: WriteEffects,
  destination: DirectoryDestination,
  path: string,
  outputFiles: readonly OutputFile[],
): Promise<readonly string[]> {
  const staged: StagedFile[] = [];
  try {
    await refuseSymlinks(files, path, destination.symlinks);
    await allDone(outputFiles.map((file) => stage(files, destination, path, file, staged)));
    const warnings = await grantReaders(
      commands,
      destination,
      path,
      staged.map(({ temporary }) => temporary),
    );
    await replaceAll(files, staged);
    return warnings;
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    await Promise.allSettled(leftovers(staged).map((name) => files.remove(name)));
  }
}

/** Waits for every one, so that nothing is still being made when the first failure is cleaned up after. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

function leftovers(staged: readonly StagedFile[]): string[] {
  return staged.flatMap(({ temporary, backup }) => (backup === undefined ? [temporary] : [temporary, backup]));
}

async function stage(
  files: Files,
  { symlinks }: DirectoryDestination,
  path: string,
  { name, contents }: OutputFile,
  staged: StagedFile[],
): Promise<void> {
  const target = await targetOf(files, join(path, name), symlinks === 'insecure');
  const folder = dirname(target);
  const temporary = join(folder, temporaryName(basename(target)));
  const exists = (await files.entry(target)) !== undefined;
  const backup = exists ? join(folder, temporaryName(`${basename(target)}.before`)) : undefined;
  staged.push({ temporary, target, backup });
  await files.createFile(temporary, contents);
  if (backup !== undefined) await keepBefore(files, target, backup);
}

/** A file system without hard links keeps no second name; then only the renames themselves are safe. */
async function keepBefore(files: Files, target: string, backup: string): Promise<void> {
  try {
    await files.link(target, backup);
  } catch (error) {
    const code = errorCode(error) ?? '';
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw error;
  }
}

/** Where the bytes go: the path itself, or behind a link that the user has allowed. */
async function targetOf(files: Files, path: string, mayFollow: boolean): Promise<string> {
  const there = await files.entry(path);
  if (there === undefined || there.kind === 'file') return path;
  if (there.kind === 'symlink') {
    if (mayFollow) return files.realPath(path);
    throw new MachineIdError('DESTINATION_UNSAFE', `${path} is a symbolic link`, {
      hint: 'Remove the link, or set symlinks: insecure in the destination when it is meant.',
    });
  }
  throw new MachineIdError('DESTINATION_UNWRITABLE', `${path} already exists and is not a file`, {
    hint: 'Give the destination another path, or remove what stands there.',
  });
}

async function replaceAll(files: Files, staged: readonly StagedFile[]): Promise<void> {
  const replaced: StagedFile[] = [];
  try {
    for (const file of staged) {
      await files.rename(file.temporary, file.target);
      replaced.push(file);
    }
  } catch (error) {
    await Promise.allSettled(replaced.map((file) => putBack(files, file)));
    throw error;
  }
}

async function putBack(files: Files, { target, backup }: StagedFile): Promise<void> {
  if (backup === undefined) await files.remove(target);
  else await files.rename(backup, target);
}
