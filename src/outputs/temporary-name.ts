/** Names that nobody can guess, for files on their way to their real name. */
import { randomBytes } from 'node:crypto';

export function temporaryName(name: string): string {
  return `.${name}.${randomBytes(9).toString('base64url')}.tmp`;
}
