/** Files that are too large to be held in memory. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { lstat, open, rm, symlink } from 'node:fs/promises';
import { errorCode } from './file-error.ts';
import { openPlainFile } from './open-file.ts';

export interface FileStamp {
  readonly sizeBytes: number;
  /** When contents, mode or name were last changed; no program can set it to a time of its choice. */
  readonly changedAtMs: number;
}

/** Methods reject with Node's own errors, whose `code` tells the reason. */
export interface LargeFiles {
  /** Makes a file with mode 0600 out of what comes; rejects when anything stands there, a link included. */
  write(path: string, portions: AsyncIterable<Uint8Array>): Promise<void>;
  /** Hexadecimal, lower case. */
  sha256(path: string): Promise<string>;
  /** Undefined when no plain file stands there. */
  stamp(path: string): Promise<FileStamp | undefined>;
  /** Makes a link that points to `target`, relative to the folder of the link. */
  linkTo(target: string, path: string): Promise<void>;
  /** Removes a folder with everything in it; one that is missing already is no failure. */
  removeFolder(path: string): Promise<void>;
}

export const systemLargeFiles: LargeFiles = {
  write,
  sha256,
  stamp,
  linkTo: (target, path) => symlink(target, path),
  removeFolder: (path) => rm(path, { recursive: true, force: true }),
};

async function write(path: string, portions: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const portion of portions) {
      // One call may write less than it was given.
      for (let at = 0; at < portion.length;) at += (await file.write(portion, at)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = openPlainFile(path, constants.O_RDONLY);
  const stream: AsyncIterable<Buffer> = createReadStream(path, { fd: file, highWaterMark: 1024 * 1024 });
  for await (const portion of stream) hash.update(portion);
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
