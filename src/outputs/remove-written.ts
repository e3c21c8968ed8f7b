/** Removes what runs have written, and nothing else. */
import { sha256Hex } from '../crypto/digest.ts';
import { errorCode, type Files } from '../effects/files.ts';

export interface WrittenFile {
  readonly path: string;
  /** Of every content that a run gave it. */
  readonly sha256: ReadonlySet<string>;
}

export type Removal =
  { readonly outcome: 'removed' | 'missing' | 'changed' } | { readonly outcome: 'failed'; readonly reason: string };

const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Overwrites and removes the file, unless it holds what no run has written: then it is somebody else's by now. */
export async function removeFile(files: Pick<Files, 'erase'>, { path, sha256 }: WrittenFile): Promise<Removal> {
  return attempt(async () => {
    const outcome = await files.erase(path, {
      maxBytes: MAX_FILE_BYTES,
      accepts: (contents) => sha256.has(sha256Hex(contents)),
    });
    return outcome === 'erased' ? 'removed' : outcome === 'missing' ? 'missing' : 'changed';
  });
}

/** A file that a run was interrupted with: its name is nobody else's, and its contents may be half of what was meant. */
export async function removeTemporary(files: Pick<Files, 'erase'>, path: string): Promise<Removal> {
  return attempt(async () => {
    const outcome = await files.erase(path, { maxBytes: MAX_FILE_BYTES, accepts: () => true });
    return outcome === 'erased' ? 'removed' : outcome === 'missing' ? 'missing' : 'changed';
  });
}

/** Only when it is empty. */
export async function removeDirectory(files: Pick<Files, 'removeDirectory'>, path: string): Promise<Removal> {
  return attempt(async () => ((await files.removeDirectory(path)) ? 'removed' : 'missing'));
}

async function attempt(work: () => Promise<'removed' | 'missing' | 'changed'>): Promise<Removal> {
  try {
    return { outcome: await work() };
  } catch (error) {
    return { outcome: 'failed', reason: errorCode(error) ?? String(error) };
  }
}
