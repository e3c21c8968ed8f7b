/** Looks at a destination as a run would make it ready and write to it, without changing anything. */
import { dirname, join, parse, resolve } from 'node:path';
import type { Commands } from '../effects/commands.ts';
import type { Files } from '../effects/files.ts';
import type { DirectoryDestination } from './destination.ts';
import { occupied, unusablePath, unwritable } from './destination-error.ts';
import { components, refuseSymlinks } from './destination-path.ts';
import { directoryWarnings } from './directory-warnings.ts';
import type { PreparedDirectory } from './prepare-directory.ts';
import { examineReaders } from './readers.ts';
import { targetOf } from './staged-file.ts';

export interface ExamineEffects {
  readonly files: Pick<Files, 'entry' | 'mayWrite' | 'platform' | 'readLink' | 'userId'>;
  readonly commands: Commands;
}

export interface ExaminedDirectory extends PreparedDirectory {
  /** Whether the directory is there already. */
  readonly exists: boolean;
}

/**
 * @param names of the files that are to be written into it
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function examineDirectory(
  { commands, files }: ExamineEffects,
  destination: DirectoryDestination,
  workingDirectory: string,
  names: readonly string[],
): Promise<ExaminedDirectory> {
  const { symlinks } = destination;
  const path = resolve(workingDirectory, destination.path);
  if (/\p{Cc}/u.test(path)) throw unusablePath(path);
  try {
    const folders = new Set(names.map((name) => dirname(join(path, name))));
    for (const folder of [path, ...folders]) {
      await refuseSymlinks(files, folder, symlinks);
      await files.mayWrite(await nearestDirectory(files, folder), 'directory');
    }
    for (const name of names) await targetOf(files, join(path, name), symlinks, path);
    const warnings = [
      ...(await directoryWarnings(files, destination, path, workingDirectory)),
      ...(await examineReaders(commands, destination, path)),
    ];
    return { path, warnings, exists: (await files.entry(path)) !== undefined };
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** The innermost directory of a path that is there: those below it would be made in it. */
async function nearestDirectory(files: ExamineEffects['files'], path: string): Promise<string> {
  let nearest = parse(path).root;
  for (const component of components(path)) {
    const there = await files.entry(component);
    if (there === undefined) break;
    if (there.kind === 'file' || there.kind === 'other') throw occupied(component, 'directory');
    nearest = component;
  }
  return nearest;
}
