/** Stages one file: complete under a temporary name, beside the file that it will replace. */
import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { errorCode } from '../effects/file-error.ts';
import type { FileEntry, Files } from '../effects/files.ts';
import type { SymlinkMode } from '../schema/destination.ts';
import { linkRefused, occupied, type OutputFile } from './destination.ts';

/** Error codes of `link` on file systems without hard links. */
export const NO_HARD_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

export interface StagedFile {
  readonly contents: OutputFile['contents'];
  readonly awsProfile: OutputFile['awsProfile'];
  readonly temporary: string;
  readonly target: string;
  /** A hard link to the existing file, for restoring it; undefined if there was none. */
  readonly backup: string | undefined;
}

/** Linux follows as many links in a row. */
const MAX_LINKS = 40;

/**
 * Chooses the names, without creating anything yet, so that files created later can be removed by them.
 * @param existing absolute paths of everything in the file's directory, which saves a lookup for each file
 */
export async function planFile(
  files: Files,
  directory: string,
  { awsProfile, contents, name }: OutputFile,
  { existing, symlinks }: { readonly existing: ReadonlySet<string>; readonly symlinks: SymlinkMode },
): Promise<StagedFile> {
  const path = join(directory, name);
  if (!existing.has(path))
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

/** The path to write to: the path itself, or the target of links that the user has allowed. */
export async function targetOf(
  files: Pick<Files, 'entry' | 'readLink'>,
  path: string,
  symlinks: SymlinkMode,
  directory: string,
): Promise<string> {
  let target = path;
  for (let links = 0; links <= MAX_LINKS; links += 1) {
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
  if (backup !== undefined) await backUp(files, target, backup);
}

/** Without hard links there is no backup, so a failed rename cannot be undone. */
async function backUp(files: Files, target: string, backup: string): Promise<void> {
  try {
    await files.link(target, backup);
  } catch (error) {
    if (!NO_HARD_LINKS.includes(errorCode(error) ?? '')) throw error;
  }
}

/** Undoes the rename of a staged file. */
export async function restoreBackup(files: Files, { target, backup }: StagedFile): Promise<void> {
  if (backup === undefined) await files.remove(target);
  else await files.rename(backup, target);
}

/** Removes the temporary file and the backup, if they still exist. */
export async function removeLeftovers(files: Files, { temporary, backup }: StagedFile): Promise<void> {
  await files.remove(temporary);
  if (backup !== undefined) await files.remove(backup);
}

const OURS = /^\.machine-id\.([\w-]+)\.tmp$/;
const RANDOM_BYTES = 12;
/** The length of the random part in base64url, and of the hyphen before it. */
const RANDOM_LENGTH = (RANDOM_BYTES * 4) / 3 + 1;

/** An unguessable name. Independent of the real name, which may be as long as the file system allows. */
export function temporaryName({ processMark }: Pick<Files, 'processMark'>): string {
  return `.machine-id.${processMark}-${randomBytes(RANDOM_BYTES).toString('base64url')}.tmp`;
}

export function isTemporaryName(name: string): boolean {
  return OURS.test(name);
}

/** Whether the temporary file is this user's, and no process uses it any more. */
export function isAbandoned(
  name: string,
  { kind, modifiedMs, userId }: FileEntry,
  files: Pick<Files, 'mayStillRun' | 'userId'>,
): boolean {
  const [, parts] = OURS.exec(name) ?? [];
  if (parts === undefined || kind !== 'file') return false;
  if (files.userId !== undefined && userId !== files.userId) return false;
  return !files.mayStillRun(parts.slice(0, -RANDOM_LENGTH), modifiedMs);
}
