/** Digests. */
import { createHash } from 'node:crypto';

/** Hexadecimal, lower case. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
