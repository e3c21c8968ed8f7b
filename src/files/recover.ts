/**
 * Recovers a destination after a run was killed. Before the first new file gets its real name, a journal of all renames is
 * written to the destination; it is removed after the last rename. If the process ends in between, the next run (or
 * `cleanup`) completes the renames, so that the files always come from one run.
 *
 * Only one journal can exist at a time. A run that finds one completes its renames instead of waiting: each temporary file
 * exists once, so it does not matter which process renames it. So two runs with one destination never mix their files.
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
/** Limit for other runs that place their journal between two steps of this one. */
const MAX_OTHERS = 100;

/**
 * Runs `work`, which does the renames, while their journal is in the destination.
 * @param renames each within one folder; their files are complete
 */
export async function withJournal(
  files: Files,
  directory: string,
  renames: readonly Rename[],
  work: () => Promise<void>,
): Promise<void> {
  const text = journalText(directory, renames);
  await placeJournal(files, directory, text);
  try {
    await work();
  } finally {
    // A journal that cannot be removed lists completed renames; the next run tries again to remove it.
    await removeUnchanged(files, journalPath(files, directory), text).catch(() => undefined);
  }
}

/** Completes the renames of a run that was killed, if any. */
async function completeRenames(files: Files, directory: string): Promise<void> {
  const path = journalPath(files, directory);
  const entry = await files.entry(path);
  if (entry === undefined) return;
  const text = isOwn(files, entry) ? await readIfThere(files, path) : undefined;
  for (const rename of text === undefined ? [] : listed(text, directory)) await complete(files, rename);
  if (text === undefined) await files.remove(path);
  else await removeUnchanged(files, path, text);
}

/** One per user: a user cannot rename the files of another. */
function journalPath({ userId }: Pick<Files, 'userId'>, directory: string): string {
  return join(directory, `.machine-id.${userId ?? 'user'}.journal`);
}

/** Writes under a temporary name first, so that the journal appears completely or not at all. */
async function placeJournal(files: Files, directory: string, text: string): Promise<void> {
  const temporary = join(directory, temporaryName(files));
  try {
    await files.createFile(temporary, text);
    for (let others = 0; others < MAX_OTHERS; others += 1) {
      if (await isPlaced(files, { temporary, path: journalPath(files, directory), text })) return;
      await completeRenames(files, directory);
    }
    throw new Error('other runs keep writing to it');
  } finally {
    await files.remove(temporary);
  }
}

/** @returns false if another journal exists */
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

/** Otherwise another user could have planted it. */
function isOwn({ userId }: Pick<Files, 'userId'>, entry: FileEntry): boolean {
  if (entry.kind !== 'file') return false;
  return userId === undefined || (entry.userId === userId && (entry.mode & WRITABLE_BY_OTHERS) === 0);
}

async function readIfThere(files: Files, path: string): Promise<string | undefined> {
  try {
    return await files.readText(path, { maxBytes: MAX_JOURNAL_BYTES });
  } catch {
    return undefined; // removed in the meantime, or not our journal
  }
}

/** Another run may have completed everything and placed its own journal. */
async function removeUnchanged(files: Files, path: string, text: string): Promise<void> {
  if ((await readIfThere(files, path)) === text) await files.remove(path);
}

function journalText(directory: string, renames: readonly Rename[]): string {
  return JSON.stringify({
    renames: renames.map(({ from, to }) => ({ from: near(directory, from), to: near(directory, to) })),
  });
}

/** Relative, because the destination may be mounted or moved elsewhere; absolute only for targets of links outside it. */
function near(directory: string, path: string): string {
  const inside = relative(directory, path);
  return inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? path : inside;
}

/** Empty for a malformed journal: without hard links, a process may be killed while it writes one. */
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

/** Removes a file that cannot be renamed: the run that finds it is about to write its own. */
async function complete(files: Files, { from, to }: Rename): Promise<void> {
  const entry = await files.entry(from);
  if (entry === undefined || !isOwn(files, { ...entry, mode: 0 })) return;
  await files.rename(from, to).catch(() => files.remove(from));
}

interface LeftoverFile {
  readonly path: string;
  readonly reason: string;
}

/** More folders than any output creates: a directory with more contains other things. */
const MAX_FOLDERS = 100;

/**
 * Completes the renames of a run that was killed, and removes its temporary files. Call it before anything in the directory is
 * read or written. Keeps the files of runs in progress.
 * @param directory absolute; may be missing
 * @returns files that could not be removed
 */
export async function recoverDirectory(
  files: Files,
  directory: string,
  symlinks: SymlinkMode,
): Promise<readonly LeftoverFile[]> {
  try {
    await completeRenames(files, directory);
    const folders = await foldersOf(files, directory, symlinks);
    const leftovers = await Promise.all([directory, ...folders].map((folder) => sweep(files, folder)));
    return leftovers.flat();
  } catch (error) {
    return [{ path: directory, reason: fileErrorText(error) }];
  }
}

/** The folders in it, and those that links lead to. */
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
    return [link]; // to a directory, or part of a circle
  }
}

async function entriesOf(files: Files, folder: string) {
  // A folder that is missing or unreadable contains no files of ours.
  return files.list(folder).catch(() => []);
}

async function sweep(files: Files, folder: string): Promise<readonly LeftoverFile[]> {
  const leftovers: LeftoverFile[] = [];
  for (const { name } of await entriesOf(files, folder)) {
    if (!isTemporaryName(name)) continue;
    const path = join(folder, name);
    const entry = await files.entry(path);
    if (entry === undefined || !isAbandoned(name, entry, files)) continue;
    const removal = await removeTemporary(files, path);
    if (removal.outcome === 'failed') leftovers.push({ path, reason: removal.reason });
  }
  return leftovers;
}
