/** The SHA-256 of bytes that are in memory. */
import { createHash } from 'node:crypto';

/** Lowercase hexadecimal. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
