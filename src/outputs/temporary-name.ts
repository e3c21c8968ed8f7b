/** Names that nobody can guess, for files on their way to their real name. */
import { randomBytes } from 'node:crypto';

/** Short whatever the real name is, which may be as long as a file system allows. */
export function temporaryName(): string {
  return `.machine-id.${randomBytes(12).toString('base64url')}.tmp`;
}
