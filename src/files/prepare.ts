/** Makes a destination's directory ready before anything is asked of the cluster. */
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path';
import { errorCode } from '../effects/file-error.ts';
import type { FileEntry, Files } from '../effects/files.ts';
import type { Commands } from '../effects/programs.ts';
import type { WriteRecord } from '../job/manifest.ts';
import type { DirectoryDestination } from '../schema/destination.ts';
import { components, occupied, refuseSymlinks, unusablePath, unwritable } from './destination.ts';
import { checkReaders } from './readers.ts';
import { recoverDirectory } from './recover.ts';
import { targetOf, temporaryName } from './staged-file.ts';

interface PreparedDirectory {
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

// What a person should know about a directory that stood before, or about its place.

const OTHERS_CAN_WRITE = 0o022;
const OTHERS_CAN_LOOK = 0o055;
const ROOT_USER = 0;

/**
 * @param path absolute, a directory
 * @returns sentences for a person to read
 */
export async function directoryWarnings(
  files: Pick<Files, 'entry' | 'platform' | 'userId'>,
  { readers }: DirectoryDestination,
  path: string,
  workingDirectory: string,
): Promise<string[]> {
  const there = await files.entry(path);
  const warnings =
    there?.kind === 'directory' && files.platform !== 'win32' ? accessWarnings(files, path, there, readers.length) : [];
  if (isInside(path, workingDirectory)) {
    warnings.push(`${path} lies in the working directory: caches, workspaces and artifacts may carry the keys away`);
  }
  return warnings;
}

/** The mode of a directory that stood before is left alone: others may count on it. */
function accessWarnings({ userId }: Pick<Files, 'userId'>, path: string, there: FileEntry, readers: number): string[] {
  const mode = `mode ${there.mode.toString(8)}`;
  if (userId !== undefined && there.userId !== userId && there.userId !== ROOT_USER) {
    return [`${path} belongs to another user (${there.userId}), who can replace the files in it`];
  }
  if ((there.mode & OTHERS_CAN_WRITE) !== 0) return [`${path} can be written to by other users (${mode})`];
  // A list of readers shows in these bits.
  if ((there.mode & OTHERS_CAN_LOOK) === 0 || readers > 0) return [];
  return [`${path} can be looked into by other users (${mode}); the files in it cannot be read by them`];
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

// Looks at a destination as a run would make it ready and write to it, without changing anything.

interface InspectEffects {
  readonly files: Pick<Files, 'entry' | 'mayWrite' | 'platform' | 'readLink' | 'userId'>;
  readonly commands: Commands;
}

interface InspectedDirectory extends PreparedDirectory {
  /** Whether the directory is there already. */
  readonly exists: boolean;
}

/**
 * @param names of the files that are to be written into it
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function inspectDirectory(
  { commands, files }: InspectEffects,
  destination: DirectoryDestination,
  workingDirectory: string,
  names: readonly string[],
): Promise<InspectedDirectory> {
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
      ...(await checkReaders(commands, destination, path)),
    ];
    return { path, warnings, exists: (await files.entry(path)) !== undefined };
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** The innermost directory of a path that is there: those below it would be made in it. */
async function nearestDirectory(files: InspectEffects['files'], path: string): Promise<string> {
  let nearest = parse(path).root;
  for (const component of components(path)) {
    const there = await files.entry(component);
    if (there === undefined) break;
    if (there.kind === 'file' || there.kind === 'other') throw occupied(component, 'directory');
    nearest = component;
  }
  return nearest;
}
