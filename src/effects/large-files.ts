/** Operations on files that are too large to hold in memory. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { lstat, open, rm, symlink } from 'node:fs/promises';
import { errorCode } from './file-error.ts';
import { openPlainFile } from './open-file.ts';

export interface FileStamp {
  readonly sizeBytes: number;
  /** When contents, mode or name last changed (ctime, which programs cannot set). */
  readonly changedAtMs: number;
}

/** Methods reject with Node's own errors, whose `code` is the reason. */
export interface LargeFiles {
  /** Writes a new file with mode 0600; rejects if anything is there, even a link. */
  write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Lowercase hexadecimal. */
  sha256(path: string): Promise<string>;
  /** Undefined if there is no plain file. */
  stamp(path: string): Promise<FileStamp | undefined>;
  /** Creates a symbolic link to `target`, relative to the link's folder. */
  linkTo(target: string, path: string): Promise<void>;
  /** Removes a folder and its contents; succeeds if it is already missing. */
  removeFolder(path: string): Promise<void>;
}

export const systemLargeFiles: LargeFiles = {
  write,
  sha256,
  stamp,
  linkTo: (target, path) => symlink(target, path),
  removeFolder: (path) => rm(path, { recursive: true, force: true }),
};

async function write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of chunks) {
      // One call may write only a part.
      for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = openPlainFile(path, constants.O_RDONLY);
  const stream: AsyncIterable<Buffer> = createReadStream(path, { fd: file, highWaterMark: 1024 * 1024 });
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

async function stamp(path: string): Promise<FileStamp | undefined> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? { sizeBytes: stats.size, changedAtMs: stats.ctimeMs } : undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}
