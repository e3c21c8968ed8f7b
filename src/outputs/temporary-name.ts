/** Names that nobody can guess, for files on their way to their real name. */
import { randomBytes } from 'node:crypto';
import type { FileEntry, Files } from '../effects/files.ts';

const OURS = /^\.machine-id\.([\w-]+)\.tmp$/;
const RANDOM_BYTES = 12;
/** Of the random part in base64url, and the hyphen before it. */
const RANDOM_LENGTH = (RANDOM_BYTES * 4) / 3 + 1;

/** Short whatever the real name is, which may be as long as a file system allows. */
export function temporaryName({ processMark }: Pick<Files, 'processMark'>): string {
  return `.machine-id.${processMark}-${randomBytes(RANDOM_BYTES).toString('base64url')}.tmp`;
}

export function isTemporaryName(name: string): boolean {
  return OURS.test(name);
}

/** Whether a file with such a name is this user's, and no process is at work on it any more. */
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
