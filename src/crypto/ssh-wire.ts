/** Reads and writes the data types of the SSH protocol (RFC 4251 section 5), strictly. */
import { MachineIdError, pluralize } from '../errors.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads values in sequence; every method throws MachineIdError RESPONSE_INVALID if the next bytes are not such a value. */
export class SshReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #offset = 0;

  /** @param what the bytes are, for messages: `the SSH certificate` */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** Number of bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  uint32(): number {
    return Buffer.from(this.#take(4)).readUInt32BE();
  }

  uint64(): bigint {
    return Buffer.from(this.#take(8)).readBigUInt64BE();
  }

  /** A `string`: a length and that many bytes. */
  bytes(): Uint8Array {
    return this.#take(this.uint32());
  }

  /** A `string` that must be UTF-8. */
  text(): string {
    const bytes = this.bytes();
    try {
      return UTF8.decode(bytes);
    } catch (cause) {
      throw malformed(this.#what, 'a string in it is not UTF-8', cause);
    }
  }

  /** An `mpint`, which must be positive and in its shortest form. Returns the magnitude without the leading zero. */
  positiveInteger(): Uint8Array {
    const bytes = this.bytes();
    const [first = 0, second = 0] = bytes;
    if (bytes.length === 0 || first >= 0x80 || (first === 0 && second < 0x80)) {
      throw malformed(this.#what, 'a number in it is not positive and in its shortest form');
    }
    return first === 0 ? bytes.subarray(1) : bytes;
  }

  /** Rejects trailing bytes. */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw malformed(this.#what, `it has ${pluralize(left, 'trailing byte')}`);
  }

  #take(length: number): Uint8Array {
    const left = this.#bytes.length - this.#offset;
    if (length > left) throw malformed(this.#what, `it is truncated: expected ${length} more bytes, got ${left}`);
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return bytes;
  }
}

/** A `string`. */
export function sshString(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return Buffer.concat([sshUint32(bytes.length), bytes]);
}

export function sshUint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A positive `mpint` from its magnitude. */
export function sshPositiveInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const shortest = magnitude.subarray(start);
  return sshString((shortest[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), shortest]) : shortest);
}

/** The start of a text that the peer chose, quoted for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

export function malformed(what: string, detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `${what} cannot be read: ${detail}`, {
    hint: 'Run the job again. If the error persists, check what is between this job and the cluster.',
    cause,
  });
}
