/** Writes an output's files into its directory, all of them or none. */
import { dirname, join } from 'node:path';
import type { Files } from '../effects/files.ts';
import type { Commands } from '../effects/programs.ts';
import type { PlannedFile, WriteRecord } from '../job/manifest.ts';
import type { DirectoryDestination } from '../schema/destination.ts';
import { type OutputFile, refuseSymlinks, unwritable } from './destination.ts';
import { makeDirectory } from './prepare.ts';
import { grantReaders } from './readers.ts';
import { withJournal } from './recover.ts';
import { planFile, removeLeftovers, restoreBackup, type StagedFile, stageFile } from './staged-file.ts';

export interface WriteEffects {
  readonly files: Files;
  readonly commands: Commands;
  readonly record: WriteRecord;
  /** Cancels the write, unless files are already in place. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Every file is first written completely under a temporary name (0600) beside its target, so a failure keeps the old files; a
 * failure during the renames restores them. A reader sees an old or a new file, never a part of one; during the renames,
 * which take microseconds, it may see new files beside old ones. If the process is killed then, the next run completes them
 * (`recover.ts`). Existing files are replaced, so their mode, owner and other hard links do not carry over. Nothing is synced
 * to the disk, since a machine that crashes ends the job too.
 * @param path absolute, prepared
 * @returns warnings for the user
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function writeDirectory(
  { files, commands, record, signal }: WriteEffects,
  destination: DirectoryDestination,
  path: string,
  outputFiles: readonly OutputFile[],
): Promise<readonly string[]> {
  let leftovers: readonly StagedFile[] = [];
  try {
    await refuseSymlinks(files, path, destination.symlinks);
    const folders = await makeFolders({ files, record }, destination, path, outputFiles);
    const options = { existing: await entriesOf(files, [path, ...folders]), symlinks: destination.symlinks };
    const staged = await Promise.all(outputFiles.map((file) => planFile(files, path, file, options)));
    leftovers = staged;
    await record.files(staged.map(planned), path);
    await stageAll(files, staged);
    const temporaries = staged.map(({ temporary }) => temporary);
    const warnings = await grantReaders(commands, destination, [path, ...folders], temporaries);
    signal?.throwIfAborted();
    await replaceAll(files, path, staged);
    leftovers = staged.filter(({ backup }) => backup !== undefined);
    return warnings;
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    // A leftover that cannot be removed must not hide the earlier error.
    await Promise.allSettled(leftovers.map((file) => removeLeftovers(files, file)));
  }
}

/** Creates the folders in the names of the files; returns their absolute paths. */
async function makeFolders(
  { files, record }: Pick<WriteEffects, 'files' | 'record'>,
  { symlinks }: DirectoryDestination,
  path: string,
  outputFiles: readonly OutputFile[],
): Promise<readonly string[]> {
  const names = new Set(outputFiles.map(({ name }) => dirname(name)).filter((name) => name !== '.'));
  const folders = [...names].map((name) => join(path, name));
  for (const folder of folders) {
    await refuseSymlinks(files, folder, symlinks);
    await makeDirectory(files, folder, record);
  }
  return folders;
}

async function entriesOf(files: Files, directories: readonly string[]): Promise<ReadonlySet<string>> {
  const listed = await Promise.all(
    directories.map(async (directory) => (await files.names(directory)).map((name) => join(directory, name))),
  );
  return new Set(listed.flat());
}

function planned({ awsProfile, target, contents, temporary, backup }: StagedFile): PlannedFile {
  return { path: target, contents, awsProfile, temporaries: backup === undefined ? [temporary] : [temporary, backup] };
}

/** Waits for all of them, so that none is still being created when the first failure is cleaned up. */
async function stageAll(files: Files, staged: readonly StagedFile[]): Promise<void> {
  const work = staged.map((file) => stageFile(files, file));
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

async function replaceAll(files: Files, directory: string, staged: readonly StagedFile[]): Promise<void> {
  const renames = staged.map(({ temporary, target }) => ({ from: temporary, to: target }));
  await withJournal(files, directory, renames, async () => {
    try {
      await files.renameAll(renames);
    } catch (error) {
      await undo(files, staged);
      throw error;
    }
  });
}

/** Removes files that are not renamed yet first, so that no other run renames them while the others are restored. */
async function undo(files: Files, staged: readonly StagedFile[]): Promise<void> {
  const isStaged = await Promise.all(staged.map(async ({ temporary }) => (await files.entry(temporary)) !== undefined));
  await Promise.allSettled(staged.filter((_, at) => isStaged[at]).map(({ temporary }) => files.remove(temporary)));
  await Promise.allSettled(staged.filter((_, at) => isStaged[at] === false).map((file) => restoreBackup(files, file)));
}
