/** Writes the file of a flag such as `--junit`, all or nothing. */
import { dirname, join, resolve } from 'node:path';
import { fileErrorText } from '../effects/file-error.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import { temporaryName } from '../files/staged-file.ts';

export interface ReportFile {
  /** With the dashes. */
  readonly flag: string;
  /** The path on the command line. */
  readonly given: string;
  readonly text: string;
}

/** @throws MachineIdError DESTINATION_UNWRITABLE */
export async function writeReportFile({ flag, given, text }: ReportFile, world: World): Promise<void> {
  const { files, workingDirectory } = world;
  const path = resolve(workingDirectory, given);
  const temporary = join(dirname(path), temporaryName(files));
  try {
    await makeFolders(dirname(path), files);
    await files.createFile(temporary, text);
    await files.rename(temporary, path);
  } catch (cause) {
    await files.remove(temporary).catch(() => undefined);
    throw new MachineIdError('DESTINATION_UNWRITABLE', `cannot write ${path}: ${fileErrorText(cause)}`, {
      hint: `Pass ${flag} a path in a directory that this job can write to.`,
      cause,
    });
  }
}

async function makeFolders(path: string, files: World['files']): Promise<void> {
  if ((await files.entry(path)) !== undefined) return;
  await makeFolders(dirname(path), files);
  await files.makeDirectory(path);
}
