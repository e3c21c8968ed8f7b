/** Reads a tar archive (POSIX.1-2017 pax with GNU's long names) as a stream. */
import { type ArchiveEntry, corrupt } from './archive.ts';
import { ByteReader, drain } from './byte-reader.ts';

const BLOCK = 512;
/** For long names and attributes; no system has paths longer than 4,096 bytes. */
const MAX_EXTENSION_BYTES = 64 * 1024;
/** Types of links, devices, directories and pipes, which have no contents, whatever their size field says. */
const WITHOUT_CONTENTS = /[1-6]/;

interface Header {
  readonly name: string;
  readonly sizeBytes: number;
  readonly type: string;
}

interface Extension {
  readonly path?: string;
  readonly sizeBytes?: number;
}

/** @throws MachineIdError TOOLS_CORRUPT */
export async function* tarEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
  const reader = new ByteReader(chunks);
  try {
    let extension: Extension = {};
    for (;;) {
      const header = readHeader(await reader.exactly(BLOCK));
      // Empty blocks end an archive; the padding after them is read for the digest.
      if (header === undefined) break;
      if (isExtension(header)) {
        extension = { ...extension, ...(await readExtension(reader, header)) };
        await reader.skip(paddingOf(header.sizeBytes));
        continue;
      }
      const kind = kindOf(header.type);
      const { path = header.name, sizeBytes = header.sizeBytes } = extension;
      extension = {};
      const length = WITHOUT_CONTENTS.test(header.type) ? 0 : sizeBytes;
      const contents = reader.upTo(length);
      yield { path, kind, contents };
      await drain(contents);
      await reader.skip(paddingOf(length));
    }
    await reader.drain();
  } finally {
    await reader.close();
  }
}

function paddingOf(length: number): number {
  return (BLOCK - (length % BLOCK)) % BLOCK;
}

function readHeader(block: Buffer): Header | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (octal(block, 148, 8) !== sum) throw corrupt('a header has a wrong checksum');
  const prefix = text(block, 257, 6).startsWith('ustar') && block[262] === 0 ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    sizeBytes: octal(block, 124, 12),
    type: String.fromCharCode(block[156] ?? 0),
  };
}

function kindOf(type: string): ArchiveEntry['kind'] {
  if (type === '0' || type === '\0') return 'file';
  if (type === '5') return 'directory';
  return type === '1' || type === '2' ? 'link' : 'other';
}

/** GNU's `L` and `K` (long name, long link), pax's `x` and `g` (attributes of the next entry, of all). */
function isExtension({ type }: Header): boolean {
  return ['L', 'K', 'x', 'g'].includes(type);
}

async function readExtension(reader: ByteReader, { type, sizeBytes }: Header): Promise<Extension> {
  if (sizeBytes > MAX_EXTENSION_BYTES) throw corrupt(`an entry has a name or attributes of ${sizeBytes} bytes`);
  const data = await reader.exactly(sizeBytes);
  if (type === 'L') return { path: text(data, 0, data.length) };
  return type === 'x' ? readAttributes(data) : {};
}

/** Records of the form `<length of the record> <key>=<value>\n`. */
function readAttributes(data: Buffer): Extension {
  let extension: Extension = {};
  for (let at = 0; at < data.length;) {
    const [, digits = '', key] = /^(\d{1,6}) ([^=]+)=/.exec(data.toString('latin1', at, at + 300)) ?? [];
    const end = at + Number(digits);
    const start = at + digits.length + (key?.length ?? 0) + 2;
    // A record that ends before its own value would cause an endless loop.
    if (key === undefined || end <= start || end > data.length || data[end - 1] !== 0x0a) {
      throw corrupt('its attributes are invalid');
    }
    const value = data.toString('utf8', start, end - 1);
    if (key === 'path') extension = { ...extension, path: value };
    if (key === 'size') extension = { ...extension, sizeBytes: count(value, 10) };
    at = end;
  }
  return extension;
}

function text(bytes: Buffer, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

/** GNU's binary form, for files of 8 GB and more, is rejected: no program is that large. */
function octal(bytes: Buffer, at: number, length: number): number {
  return count(text(bytes, at, length).trim(), 8);
}

function count(digits: string, base: 8 | 10): number {
  const value = (base === 8 ? /^[0-7]{1,12}$/ : /^\d{1,15}$/).test(digits) ? parseInt(digits, base) : NaN;
  if (Number.isNaN(value)) throw corrupt(`expected a number, got ${JSON.stringify(digits.slice(0, 20))}`);
  return value;
}
