/** Writes ASN.1 values as DER (ITU-T X.690). */

/** Universal tags that other files use; SEQUENCE and SET include the bit for constructed values. */
export const TAG = { utf8String: 0x0c, printableString: 0x13, ia5String: 0x16 } as const;

/** Of the context-specific class (X.690 section 8.1.2.2). */
const CONTEXT = 0x80;
const CONSTRUCTED = 0x20;

export function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(content.length)]), content]);
}

export function sequence(...contents: readonly Buffer[]): Buffer {
  return element(0x30, ...contents);
}

/** A SET OF: sorted by the bytes of its elements, in whatever order they are given. */
export function setOf(elements: readonly Buffer[]): Buffer {
  return element(0x31, ...[...elements].sort((a, b) => Buffer.compare(a, b)));
}

/** `[number] EXPLICIT`: a value around the whole element. */
export function explicit(number: number, content: Buffer): Buffer {
  return element(CONTEXT | CONSTRUCTED | number, content);
}

/** `[number] IMPLICIT` of a primitive type. */
export function implicit(number: number, content: Buffer): Buffer {
  return element(CONTEXT | number, content);
}

/** @param bytes two's complement, in the shortest form */
export function integer(bytes: Buffer): Buffer {
  return element(0x02, bytes);
}

export function octetString(bytes: Buffer): Buffer {
  return element(0x04, bytes);
}

export function bitString(bytes: Buffer, unusedBits = 0): Buffer {
  return element(0x03, Buffer.from([unusedBits]), bytes);
}

export const TRUE = element(0x01, Buffer.from([0xff]));
export const NULL = element(0x05);

const OIDS = new Map<string, Buffer>();

/** @param dotted such as `2.5.4.3`; cached, because there are few and a subject contains two dozen */
export function objectIdentifier(dotted: string): Buffer {
  const known = OIDS.get(dotted) ?? encodeOid(dotted);
  OIDS.set(dotted, known);
  return known;
}

/** UTCTime up to the year 2049 and GeneralizedTime after it (RFC 5280 section 4.1.2.5), in whole seconds. */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().slice(0, 19).replace(/\D/g, '')}Z`;
  return date.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits));
}

function encodeOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** Seven bits per byte; all but the last have the top bit set. */
function base128(value: number): number[] {
  const higher = value >> 7;
  return higher === 0 ? [value] : [...base128(higher).map((byte) => byte | 0x80), value & 0x7f];
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) {
    return [length];
  }
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>= 8) {
    bytes.unshift(rest & 0xff);
  }
  return [0x80 | bytes.length, ...bytes];
}
