/** Builds tar archives byte by byte, also such as no tar program would. */
import { gzipSync } from 'node:zlib';

export interface TarEntry {
  readonly path: string;
  readonly contents?: string | Uint8Array;
  /** `0` for a file, which is the default, `5` for a directory, `2` for a symbolic link. */
  readonly type?: string;
  readonly linkTo?: string;
  /** Of the header, when it is to lie. */
  readonly size?: string;
  readonly checksum?: string;
}

const BLOCK = 512;

export function tar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryBytes), Buffer.alloc(2 * BLOCK)]);
}

export function tarGz(entries: readonly TarEntry[]): Buffer {
  return gzipSync(tar(entries));
}

/** A record of pax attributes: `30 path=...\n`, its own length included. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = Buffer.byteLength(rest);
  const digits = String(length + String(length).length).length;
  return `${length + digits}${rest}`;
}

/** Of an entry whose contents follow from elsewhere. */
export function tarHeader({ path, type = '0', linkTo = '', size, checksum }: TarEntry, contentBytes: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(path, 0, 100);
  header.write('0000755\0', 100);
  header.write(size ?? `${contentBytes.toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156);
  header.write(linkTo, 157, 100);
  header.write('ustar\x0000', 257);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function entryBytes(entry: TarEntry): Buffer {
  const body = Buffer.from(entry.contents ?? '');
  return Buffer.concat([tarHeader(entry, body.length), body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}
