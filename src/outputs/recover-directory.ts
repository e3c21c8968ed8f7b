/** Puts a destination in order when an earlier run was killed: new files complete, temporary ones removed. */
import { dirname, join } from 'node:path';
import { fileFault } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import type { SymlinkMode } from './destination.ts';
import { completeRenames } from './journal.ts';
import { removeTemporary } from './remove-written.ts';
import { targetOf } from './staged-file.ts';
import { isAbandoned, isTemporaryName } from './temporary-name.ts';

export interface Remainder {
  readonly path: string;
  readonly reason: string;
}

/** A directory with more folders than any output makes holds other things. */
const MOST_FOLDERS = 100;

/**
 * Before anything in it is read or written. What a run that is under way has made is left alone.
 * @param directory absolute; nothing is done when it is not there
 * @returns what could not be removed
 */
export async function recoverDirectory(
  files: Files,
  directory: string,
  symlinks: SymlinkMode,
): Promise<readonly Remainder[]> {
  try {
    await completeRenames(files, directory);
    const folders = await foldersOf(files, directory, symlinks);
    const remainders = await Promise.all([directory, ...folders].map((folder) => sweep(files, folder)));
    return remainders.flat();
  } catch (error) {
    return [{ path: directory, reason: fileFault(error) }];
  }
}

/** Those in it, and those that links lead to. */
async function foldersOf(files: Files, directory: string, symlinks: SymlinkMode): Promise<readonly string[]> {
  const entries = await entriesOf(files, directory);
  const folders = entries.filter(({ kind }) => kind === 'directory').map(({ name }) => join(directory, name));
  const links = symlinks === 'insecure' ? entries.filter(({ kind }) => kind === 'symlink') : [];
  const targets = await Promise.all(links.map(({ name }) => folderBehind(files, join(directory, name), directory)));
  return [...new Set([...folders.slice(0, MOST_FOLDERS), ...targets.flat()])];
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

async function sweep(files: Files, folder: string): Promise<readonly Remainder[]> {
  const remainders: Remainder[] = [];
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
