/** One file on its way to its real name: complete under a temporary one, beside the file that it replaces. */
import { dirname, join, resolve } from 'node:path';
import { errorCode } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import type { SymlinkMode } from './destination.ts';
import { NO_HARD_LINKS } from './journal.ts';
import { linkRefused, occupied } from './destination-error.ts';
import type { OutputFile } from './output-file.ts';
import { temporaryName } from './temporary-name.ts';

export interface StagedFile {
  readonly contents: OutputFile['contents'];
  readonly awsProfile: OutputFile['awsProfile'];
  readonly temporary: string;
  readonly target: string;
  /** A second name for the file that stood before, to put it back; undefined when there was none. */
  readonly backup: string | undefined;
}

/** As many links in a row as Linux follows. */
const MOST_LINKS = 40;

/**
 * Chooses the names; nothing is made yet, so that whatever is made later can be removed by them.
 * @param standing absolute paths of what is in the file's directory, so that not every file must be looked for
 */
export async function planFile(
  files: Files,
  directory: string,
  { awsProfile, contents, name }: OutputFile,
  { standing, symlinks }: { readonly standing: ReadonlySet<string>; readonly symlinks: SymlinkMode },
): Promise<StagedFile> {
  const path = join(directory, name);
  if (!standing.has(path))
    return {
      awsProfile,
      contents,
      target: path,
      temporary: join(dirname(path), temporaryName(files)),
      backup: undefined,
    };
  const target = await targetOf(files, path, symlinks, directory);
  const folder = dirname(target);
  const exists = (await files.entry(target)) !== undefined;
  return {
    awsProfile,
    contents,
    target,
    temporary: join(folder, temporaryName(files)),
    backup: exists ? join(folder, temporaryName(files)) : undefined,
  };
}

/** Where the bytes go: the path itself, or what stands behind links that the user has allowed. */
export async function targetOf(
  files: Pick<Files, 'entry' | 'readLink'>,
  path: string,
  symlinks: SymlinkMode,
  directory: string,
): Promise<string> {
  let target = path;
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    const there = await files.entry(target);
    if (there === undefined || there.kind === 'file') return target;
    if (there.kind !== 'symlink') throw occupied(target, 'file');
    if (symlinks !== 'insecure') throw linkRefused(target, directory);
    target = resolve(dirname(target), await files.readLink(target));
  }
  throw new Error(`too many symbolic links behind ${path}`);
}

export async function stageFile(files: Files, { contents, temporary, target, backup }: StagedFile): Promise<void> {
  await files.createFile(temporary, contents);
  if (backup !== undefined) await keepBefore(files, target, backup);
}

/** A file system without hard links keeps no second name; then only the renames themselves are safe. */
async function keepBefore(files: Files, target: string, backup: string): Promise<void> {
  try {
    await files.link(target, backup);
  } catch (error) {
    if (!NO_HARD_LINKS.includes(errorCode(error) ?? '')) throw error;
  }
}

/** Undoes the rename of a staged file. */
export async function putBack(files: Files, { target, backup }: StagedFile): Promise<void> {
  if (backup === undefined) await files.remove(target);
  else await files.rename(backup, target);
}

/** Removes what has not become the real file. */
export async function removeLeftovers(files: Files, { temporary, backup }: StagedFile): Promise<void> {
  await files.remove(temporary);
  if (backup !== undefined) await files.remove(backup);
}
