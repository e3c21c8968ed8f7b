/** Explains why a file operation failed: the system's error code, and a text for people. */
import { constants } from 'node:os';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EDQUOT: 'the disk quota of this user is exhausted',
  EFBIG: 'the file would exceed the size limit for files',
  EIO: 'the disk reported an input/output error',
  EISDIR: 'it is a directory, expected a file',
  ELOOP: 'too many symbolic links',
  EMFILE: 'this process has too many open files',
  ENAMETOOLONG: 'the name is too long',
  ENFILE: 'the system has too many open files',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on the disk',
  ENOTDIR: 'a part of the path is not a directory',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
};

/** The `code` of a Node error, or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  // Node has no name for some system errors, for example EDQUOT.
  const [, number] = /^Unknown system error -(\d+)$/.exec(error.code) ?? [];
  if (number === undefined) return error.code;
  return Object.entries(constants.errno).find(([, value]) => value === Number(number))?.[0] ?? error.code;
}

/** Without the path: the sentence around it names the file. */
export function fileErrorText(error: unknown): string {
  const code = errorCode(error);
  const reason = code === undefined ? undefined : REASONS[code];
  if (reason !== undefined) return `${reason} (${code ?? ''})`;
  return error instanceof Error ? error.message : String(error);
}
