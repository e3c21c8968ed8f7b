/** Reads a zip archive (PKWARE's APPNOTE 6.3) from its local headers, as it comes. */
import { createInflateRaw } from 'node:zlib';
import { MachineIdError } from '../../errors.ts';
import { type ArchiveEntry, corrupt } from './archive.ts';
import { ByteReader, drain } from './byte-reader.ts';

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_DIRECTORY = 0x02014b50;
const DATA_DESCRIPTOR = 0x08074b50;

const STORED = 0;
const DEFLATED = 8;

const ENCRYPTED = 0x0001;
/** The sizes follow the contents. */
const SIZES_BEHIND = 0x0008;
const CHUNK_BYTES = 64 * 1024;

interface Header {
  readonly path: string;
  readonly method: number;
  /** Of the packed contents; undefined when it follows them. */
  readonly packedBytes: number | undefined;
}

/**
 * The central directory, which repeats the headers, is not consulted: that the archive is the published one is for its
 * digest to say.
 * @throws MachineIdError TOOLS_CORRUPT
 */
export async function* zipEntries(portions: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
  const reader = new ByteReader(portions);
  try {
    for (;;) {
      const signature = (await reader.exactly(4)).readUInt32LE();
      if (signature === CENTRAL_DIRECTORY) break;
      if (signature !== LOCAL_HEADER) throw corrupt('it is no zip archive');
      const header = await readHeader(reader);
      const contents = unpack(reader, header);
      // Links of Unix are told by the central directory alone; here they are files with a path in them.
      yield { path: header.path, kind: header.path.endsWith('/') ? 'directory' : 'file', contents };
      await drain(contents);
    }
    await reader.drain();
  } finally {
    await reader.close();
  }
}

async function readHeader(reader: ByteReader): Promise<Header> {
  const fields = await reader.exactly(26);
  const [flags, method] = [fields.readUInt16LE(2), fields.readUInt16LE(4)];
  const packedBytes = fields.readUInt32LE(14);
  const path = (await reader.exactly(fields.readUInt16LE(22))).toString('utf8');
  await reader.skip(fields.readUInt16LE(24));
  const behind = (flags & SIZES_BEHIND) !== 0;
  if ((flags & ENCRYPTED) !== 0) throw corrupt('an entry is encrypted');
  if (method !== STORED && method !== DEFLATED) throw corrupt(`an entry is packed by method ${method}`);
  // Zip64 has its sizes elsewhere; contents that are only stored don't tell where they end.
  if (packedBytes === 0xffffffff || (behind && method === STORED)) throw corrupt('an entry does not tell its size');
  return { path, method, packedBytes: behind ? undefined : packedBytes };
}

async function* unpack(reader: ByteReader, { method, packedBytes }: Header): AsyncGenerator<Uint8Array> {
  if (method === STORED) {
    yield* reader.upTo(packedBytes ?? 0);
    return;
  }
  const consumed = yield* inflate(reader);
  if (packedBytes === undefined) {
    // CRC and two sizes of 4 bytes; the signature before them is optional, but every writer of today puts it.
    const descriptor = await reader.exactly(16);
    if (descriptor.readUInt32LE() !== DATA_DESCRIPTOR || descriptor.readUInt32LE(8) !== consumed) {
      throw corrupt('an entry is longer or shorter than it says');
    }
  } else if (packedBytes !== consumed) {
    throw corrupt('an entry is longer or shorter than it says');
  }
}

/** Deflate (RFC 1951) tells its own end. Returns how many packed bytes it took; the others are put back. */
async function* inflate(reader: ByteReader): AsyncGenerator<Uint8Array, number> {
  const stream = createInflateRaw({ chunkSize: CHUNK_BYTES });
  const ended = new Promise<'ended'>((resolve) => {
    for (const event of ['end', 'error', 'close']) {
      stream.once(event, () => {
        resolve('ended');
      });
    }
  });
  let given = 0;
  let last: Buffer = Buffer.alloc(0);
  const feed = async () => {
    // Bytes behind the end are not taken.
    while (stream.bytesWritten === given && !stream.destroyed) {
      const portion = await reader.next();
      if (portion === undefined) throw corrupt('it ends in the middle of an entry');
      given += portion.length;
      last = portion;
      // Not every version of Node calls back when it has met the end.
      await Promise.race([ended, new Promise((resolve) => stream.write(portion, resolve))]);
    }
  };
  const feeding = feed().catch((error: unknown) => stream.destroy(error instanceof Error ? error : undefined));
  try {
    const unpacked: AsyncIterable<Uint8Array> = stream;
    yield* unpacked;
  } catch (error) {
    throw error instanceof MachineIdError ? error : corrupt('an entry cannot be unpacked', error);
  }
  await feeding;
  const consumed = stream.bytesWritten;
  reader.unread(last.subarray(last.length - (given - consumed)));
  return consumed;
}
