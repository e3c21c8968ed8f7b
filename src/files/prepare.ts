/** Prepares a destination's directory before anything is requested from the cluster. */
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
import { hasControlCharacters } from '../errors.ts';

interface PreparedDirectory {
  /** Absolute. */
  readonly path: string;
  /** Warnings for the user. */
  readonly warnings: readonly string[];
}

/**
 * Creates missing directories of the path (each with mode 0700), cleans up after runs that were killed, and proves that files
 * can be created there.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function prepareDirectory(
  files: Files,
  destination: DirectoryDestination,
  workingDirectory: string,
  record: Pick<WriteRecord, 'directory'>,
): Promise<PreparedDirectory> {
  const path = resolve(workingDirectory, destination.path);
  if (hasControlCharacters(path)) throw unusablePath(path);
  try {
    await refuseSymlinks(files, path, destination.symlinks);
    for (const component of components(path)) await makeDirectory(files, component, record);
    // Another process may have created one of the directories first, as a link.
    await refuseSymlinks(files, path, destination.symlinks);
    const leftovers = await recoverDirectory(files, path, destination.symlinks);
    await proveWritable(files, path);
    const warnings = leftovers.map((one) => `cannot remove ${one.path}, left by a run that was killed: ${one.reason}`);
    return { path, warnings: [...warnings, ...(await directoryWarnings(files, destination, path, workingDirectory))] };
  } catch (error) {
    throw unwritable(path, error);
  }
}

interface InspectEffects {
  readonly files: Pick<Files, 'entry' | 'mayWrite' | 'platform' | 'readLink' | 'userId'>;
  readonly commands: Commands;
}

interface InspectedDirectory extends PreparedDirectory {
  /** Whether the directory already exists. */
  readonly exists: boolean;
}

/**
 * Checks a destination as a run would prepare and write it, without changing anything.
 * @param names of the files to write
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
  if (hasControlCharacters(path)) throw unusablePath(path);
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

/** @throws MachineIdError DESTINATION_UNWRITABLE if something else is there */
export async function makeDirectory(files: Files, path: string, record: Pick<WriteRecord, 'directory'>): Promise<void> {
  const there = await files.entry(path);
  if (there?.kind === 'file' || there?.kind === 'other') throw occupied(path, 'directory');
  if (there !== undefined) return;
  try {
    await files.makeDirectory(path);
    await record.directory(path);
  } catch (error) {
    // Another output of this run, or another job on this machine, may have created it first.
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

async function proveWritable(files: Files, path: string): Promise<void> {
  const probe = join(path, temporaryName(files));
  await files.createFile(probe, '');
  await files.remove(probe);
}

/** The innermost directory of the path that exists, in which the missing ones would be created. */
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

const OTHERS_CAN_WRITE = 0o022;
const OTHERS_CAN_LIST = 0o055;
const ROOT_USER = 0;

/**
 * Warns about a directory that existed before, or about its location.
 * @param path absolute, a directory
 * @returns warnings for the user
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
    warnings.push(`${path} is in the working directory: caches, workspaces and artifacts may include the keys`);
  }
  return warnings;
}

/** The mode of an existing directory is not changed: others may rely on it. */
function accessWarnings({ userId }: Pick<Files, 'userId'>, path: string, there: FileEntry, readers: number): string[] {
  const mode = `mode ${there.mode.toString(8)}`;
  if (userId !== undefined && there.userId !== userId && there.userId !== ROOT_USER) {
    return [`${path} belongs to another user (${there.userId}), who can replace the files in it`];
  }
  if ((there.mode & OTHERS_CAN_WRITE) !== 0) return [`${path} is writable by other users (${mode})`];
  // Granting access to readers sets these bits.
  if ((there.mode & OTHERS_CAN_LIST) === 0 || readers > 0) return [];
  return [`${path} can be listed by other users (${mode}), who cannot read the files in it`];
}

function isInside(path: string, directory: string): boolean {
  const inside = relative(directory, path);
  return inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}
