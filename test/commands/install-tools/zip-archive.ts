/** Builds zip archives byte by byte, also such as no zip program would. */
import { deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly path: string;
  readonly contents?: string | Uint8Array;
  /** 8 for deflate, which is the default, 0 for none. */
  readonly method?: number;
  readonly flags?: number;
  /** Sizes after the contents, as programs write them that cannot go back. */
  readonly sizesBehind?: boolean;
  readonly packedSize?: number;
}

/** The central directory is a stump, which no reader of ours looks into. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const centralDirectory = Buffer.alloc(46);
  centralDirectory.writeUInt32LE(0x02014b50);
  return Buffer.concat([...entries.map(entryBytes), centralDirectory]);
}

function entryBytes({ path, contents = '', method = 8, flags = 0, sizesBehind = false, packedSize }: ZipEntry): Buffer {
  const body = Buffer.from(contents);
  const packed = method === 0 ? body : deflateRawSync(body);
  const name = Buffer.from(path);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(flags | (sizesBehind ? 8 : 0), 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt32LE(sizesBehind ? 0 : (packedSize ?? packed.length), 18);
  header.writeUInt32LE(sizesBehind ? 0 : body.length, 22);
  header.writeUInt16LE(name.length, 26);
  const descriptor = Buffer.alloc(sizesBehind ? 16 : 0);
  if (sizesBehind) {
    descriptor.writeUInt32LE(0x08074b50);
    descriptor.writeUInt32LE(packedSize ?? packed.length, 8);
    descriptor.writeUInt32LE(body.length, 12);
  }
  return Buffer.concat([header, name, packed, descriptor]);
}
