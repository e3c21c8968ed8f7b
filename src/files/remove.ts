/** Removes files that runs have written, and nothing else. */
import { dirname, join } from 'node:path';
import { sha256Hex } from '../crypto/digest.ts';
import { fileErrorText } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import { withoutProfile } from './aws-profile.ts';
import { temporaryName } from './staged-file.ts';

export interface WrittenFile {
  readonly path: string;
  /** Digests of every content that a run wrote to it. */
  readonly sha256: ReadonlySet<string>;
}

export type Removal =
  { readonly outcome: 'removed' | 'missing' | 'changed' } | { readonly outcome: 'failed'; readonly reason: string };

const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Overwrites and removes the file, unless its content is not from a run: then it belongs to something else by now. */
export async function removeFile(files: Pick<Files, 'erase'>, { path, sha256 }: WrittenFile): Promise<Removal> {
  return attempt(async () => {
    const outcome = await files.erase(path, {
      maxBytes: MAX_FILE_BYTES,
      accepts: (contents) => sha256.has(sha256Hex(contents)),
    });
    return outcome === 'erased' ? 'removed' : outcome === 'missing' ? 'missing' : 'changed';
  });
}

/** Removes our profile from an AWS credentials file, which may contain other profiles too. */
export async function removeProfile(
  files: Pick<Files, 'createFile' | 'entry' | 'erase' | 'processMark' | 'readText' | 'remove' | 'rename' | 'setMode'>,
  path: string,
  profile: string,
): Promise<Removal> {
  return attempt(async () => {
    const there = await files.entry(path);
    if (there?.kind !== 'file') return there === undefined ? 'missing' : 'changed';
    const before = await files.readText(path, { maxBytes: MAX_FILE_BYTES });
    const rest = withoutProfile(before, profile);
    if (rest === before) return 'missing';
    if (rest === '') await files.erase(path, { maxBytes: MAX_FILE_BYTES, accepts: () => true });
    else await replaceFile(files, path, { contents: rest, mode: there.mode });
    return 'removed';
  });
}

/** Writes a temporary file and renames it, so that the other profiles are never half written. */
async function replaceFile(
  files: Pick<Files, 'createFile' | 'processMark' | 'remove' | 'rename' | 'setMode'>,
  path: string,
  { contents, mode }: { readonly contents: string; readonly mode: number },
): Promise<void> {
  const temporary = join(dirname(path), temporaryName(files));
  try {
    await files.createFile(temporary, contents);
    await files.setMode(temporary, mode);
    await files.rename(temporary, path);
  } finally {
    await files.remove(temporary);
  }
}

/**
 * Removes a temporary file of an interrupted run. Its name is unique to that run and its contents may be incomplete. It may be
 * a hard link to a file that existed before.
 */
export async function removeTemporary(files: Pick<Files, 'erase'>, path: string): Promise<Removal> {
  return attempt(async () => {
    const options = { maxBytes: MAX_FILE_BYTES, accepts: () => true, keepsHardLinked: true };
    const outcome = await files.erase(path, options);
    return outcome === 'erased' ? 'removed' : outcome === 'missing' ? 'missing' : 'changed';
  });
}

/** Removes the directory if it is empty. */
export async function removeDirectory(files: Pick<Files, 'removeDirectory'>, path: string): Promise<Removal> {
  return attempt(async () => ((await files.removeDirectory(path)) ? 'removed' : 'missing'));
}

async function attempt(work: () => Promise<'removed' | 'missing' | 'changed'>): Promise<Removal> {
  try {
    return { outcome: await work() };
  } catch (error) {
    return { outcome: 'failed', reason: fileErrorText(error) };
  }
}
