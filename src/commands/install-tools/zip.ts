/** Reads a zip archive (PKWARE's APPNOTE 6.3) as a stream, from its local headers. */
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
/** Flag: the sizes follow the contents. */
const SIZES_AFTER_CONTENTS = 0x0008;
const CHUNK_BYTES = 64 * 1024;

interface Header {
  readonly path: string;
  readonly method: number;
  /** Size of the compressed contents; undefined when it follows them. */
  readonly packedBytes: number | undefined;
}

/**
 * Ignores the central directory, which repeats the headers: the digest proves that the archive is the published one.
 * @throws MachineIdError TOOLS_CORRUPT
 */
export async function* zipEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
  const reader = new ByteReader(chunks);
  try {
    for (;;) {
      const signature = (await reader.exactly(4)).readUInt32LE();
      if (signature === CENTRAL_DIRECTORY) break;
      if (signature !== LOCAL_HEADER) throw corrupt('it is not a zip archive');
      const header = await readHeader(reader);
      const contents = unpack(reader, header);
      // Only the central directory marks Unix links; here they are files that contain a path.
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
  const sizesFollow = (flags & SIZES_AFTER_CONTENTS) !== 0;
  if ((flags & ENCRYPTED) !== 0) throw corrupt('an entry is encrypted');
  if (method !== STORED && method !== DEFLATED) throw corrupt(`an entry has the compression method ${method}`);
  // Zip64 has its sizes elsewhere, and the end of uncompressed contents cannot be found without their size.
  if (packedBytes === 0xffffffff || (sizesFollow && method === STORED)) throw corrupt('an entry has no size');
  return { path, method, packedBytes: sizesFollow ? undefined : packedBytes };
}

async function* unpack(reader: ByteReader, { method, packedBytes }: Header): AsyncGenerator<Uint8Array> {
  if (method === STORED) {
    yield* reader.upTo(packedBytes ?? 0);
    return;
  }
  const consumed = yield* inflate(reader);
  if (packedBytes === undefined) {
    // Signature, CRC and two sizes, 4 bytes each; the signature is optional, but all current programs write it.
    const descriptor = await reader.exactly(16);
    if (descriptor.readUInt32LE() !== DATA_DESCRIPTOR || descriptor.readUInt32LE(8) !== consumed) {
      throw corrupt('the size of an entry is wrong');
    }
  } else if (packedBytes !== consumed) {
    throw corrupt('the size of an entry is wrong');
  }
}

/** Deflate data (RFC 1951) marks its own end. Returns the number of compressed bytes, and unreads the bytes after them. */
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
    // The stream does not consume bytes after the end.
    while (stream.bytesWritten === given && !stream.destroyed) {
      const chunk = await reader.next();
      if (chunk === undefined) throw corrupt('it ends in the middle of an entry');
      given += chunk.length;
      last = chunk;
      // Not every version of Node calls back after the end.
      await Promise.race([ended, new Promise((resolve) => stream.write(chunk, resolve))]);
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
