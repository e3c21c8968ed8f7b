/**
 * Keeps the new files of an output together. Before the first one gets its real name, a list of all renames is in the
 * destination; it goes when the last is done. So whatever ends the process in between, the next run (or `cleanup`) does the
 * rest, and finds all the files of one run.
 *
 * Only one list can be there at a time. A run that finds one does its renames instead of waiting: each temporary file
 * exists once, so it does not matter which process renames it. That way two runs with one destination never mix their files.
 */
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import * as z from 'zod/mini';
import { errorCode, fileErrorText } from '../effects/file-error.ts';
import type { FileEntry, Files, Rename } from '../effects/files.ts';
import type { SymlinkMode } from '../schema/destination.ts';
import { removeTemporary } from './remove.ts';
import { isAbandoned, isTemporaryName, NO_HARD_LINKS, targetOf, temporaryName } from './staged-file.ts';

const Journal = z.strictObject({ renames: z.array(z.strictObject({ from: z.string(), to: z.string() })) });

const MAX_JOURNAL_BYTES = 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;
/** Each is another run that begins its renames between two steps of this one. */
const MAX_OTHERS = 100;

/**
 * Does the work, which carries out the renames, while the list of them is in the destination.
 * @param renames between names in one folder, all of whose files are complete
 */
export async function withJournal(
  files: Files,
  directory: string,
  renames: readonly Rename[],
  work: () => Promise<void>,
): Promise<void> {
  const text = journalText(directory, renames);
  await begin(files, directory, text);
  try {
    await work();
  } finally {
    // One that cannot be removed lists renames that have been done; the next run tries again.
    await removeUnchanged(files, journalPath(files, directory), text).catch(() => undefined);
  }
}

/** Does the renames that a run which was killed has left undone; nothing when there are none. */
async function completeRenames(files: Files, directory: string): Promise<void> {
  const path = journalPath(files, directory);
  const entry = await files.entry(path);
  if (entry === undefined) return;
  const text = isOwn(files, entry) ? await readIfThere(files, path) : undefined;
  for (const rename of text === undefined ? [] : listed(text, directory)) await complete(files, rename);
  if (text === undefined) await files.remove(path);
  else await removeUnchanged(files, path, text);
}

/** Each user has one: the files of another could not be renamed. */
function journalPath({ userId }: Pick<Files, 'userId'>, directory: string): string {
  return join(directory, `.machine-id.${userId ?? 'user'}.journal`);
}

/** Under another name first, so that the list is there in full or not at all. */
async function begin(files: Files, directory: string, text: string): Promise<void> {
  const temporary = join(directory, temporaryName(files));
  try {
    await files.createFile(temporary, text);
    for (let others = 0; others < MAX_OTHERS; others += 1) {
      if (await isPlaced(files, { temporary, path: journalPath(files, directory), text })) return;
      await completeRenames(files, directory);
    }
    throw new Error('other runs write to it without a pause');
  } finally {
    await files.remove(temporary);
  }
}

/** @returns false when another list is there */
async function isPlaced(
  files: Files,
  { path, temporary, text }: { readonly path: string; readonly temporary: string; readonly text: string },
): Promise<boolean> {
  try {
    await files.link(temporary, path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (!NO_HARD_LINKS.includes(errorCode(error) ?? '')) throw error;
    return isCreated(files, path, text);
  }
  return true;
}

async function isCreated(files: Files, path: string, text: string): Promise<boolean> {
  try {
    await files.createFile(path, text);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Others could have planted it otherwise. */
function isOwn({ userId }: Pick<Files, 'userId'>, entry: FileEntry): boolean {
  if (entry.kind !== 'file') return false;
  return userId === undefined || (entry.userId === userId && (entry.mode & WRITABLE_BY_OTHERS) === 0);
}

async function readIfThere(files: Files, path: string): Promise<string | undefined> {
  try {
    return await files.readText(path, { maxBytes: MAX_JOURNAL_BYTES });
  } catch {
    return undefined; // gone meanwhile, or not a list of ours
  }
}

/** Another run may have done everything, and begun a list of its own. */
async function removeUnchanged(files: Files, path: string, text: string): Promise<void> {
  if ((await readIfThere(files, path)) === text) await files.remove(path);
}

function journalText(directory: string, renames: readonly Rename[]): string {
  return JSON.stringify({
    renames: renames.map(({ from, to }) => ({ from: near(directory, from), to: near(directory, to) })),
  });
}

/** A destination may be mounted or moved elsewhere; only what links lead out of it to is absolute. */
function near(directory: string, path: string): string {
  const way = relative(directory, path);
  return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way) ? path : way;
}

/** None for a text that is not a list: where files have no second names, a process may be killed while it writes one. */
function listed(text: string, directory: string): readonly Rename[] {
  try {
    const { renames } = z.parse(Journal, JSON.parse(text));
    return renames
      .map(({ from, to }) => ({ from: resolve(directory, from), to: resolve(directory, to) }))
      .filter(isPossible);
  } catch {
    return [];
  }
}

function isPossible({ from, to }: Rename): boolean {
  return isTemporaryName(basename(from)) && dirname(from) === dirname(to);
}

/** What cannot be renamed is removed: the run that finds it is about to write its own. */
async function complete(files: Files, { from, to }: Rename): Promise<void> {
  const entry = await files.entry(from);
  if (entry === undefined || !isOwn(files, { ...entry, mode: 0 })) return;
  await files.rename(from, to).catch(() => files.remove(from));
}

// Puts a destination in order when an earlier run was killed: new files complete, temporary ones removed.

interface LeftoverFile {
  readonly path: string;
  readonly reason: string;
}

/** A directory with more folders than any output makes holds other things. */
const MAX_FOLDERS = 100;

/**
 * Before anything in it is read or written. What a run that is under way has made is left alone.
 * @param directory absolute; nothing is done when it is not there
 * @returns what could not be removed
 */
export async function recoverDirectory(
  files: Files,
  directory: string,
  symlinks: SymlinkMode,
): Promise<readonly LeftoverFile[]> {
  try {
    await completeRenames(files, directory);
    const folders = await foldersOf(files, directory, symlinks);
    const remainders = await Promise.all([directory, ...folders].map((folder) => sweep(files, folder)));
    return remainders.flat();
  } catch (error) {
    return [{ path: directory, reason: fileErrorText(error) }];
  }
}

/** Those in it, and those that links lead to. */
async function foldersOf(files: Files, directory: string, symlinks: SymlinkMode): Promise<readonly string[]> {
  const entries = await entriesOf(files, directory);
  const folders = entries.filter(({ kind }) => kind === 'directory').map(({ name }) => join(directory, name));
  const links = symlinks === 'insecure' ? entries.filter(({ kind }) => kind === 'symlink') : [];
  const targets = await Promise.all(links.map(({ name }) => folderBehind(files, join(directory, name), directory)));
  return [...new Set([...folders.slice(0, MAX_FOLDERS), ...targets.flat()])];
}

async function folderBehind(files: Files, link: string, directory: string): Promise<readonly string[]> {
  try {
    return [dirname(await targetOf(files, link, 'insecure', directory))];
  } catch {
    return [link]; // to a directory, or round in a circle
  }
}

async function entriesOf(files: Files, folder: string) {
  // One that is missing, or may not be read, holds nothing of ours.
  return files.list(folder).catch(() => []);
}

async function sweep(files: Files, folder: string): Promise<readonly LeftoverFile[]> {
  const remainders: LeftoverFile[] = [];
  for (const { name } of await entriesOf(files, folder)) {
    if (!isTemporaryName(name)) continue;
    const path = join(folder, name);
    const entry = await files.entry(path);
    if (entry === undefined || !isAbandoned(name, entry, files)) continue;
    const removal = await removeTemporary(files, path);
    if (removal.outcome === 'failed') remainders.push({ path, reason: removal.reason });
  }
  return remainders;
}
