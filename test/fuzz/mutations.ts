/** Input that is almost valid: real samples with a few edits, and sometimes random bytes. */
import fc from 'fast-check';

const PLACES = 2 ** 30;

/** Positions are fractions of the current length, so that an edit is valid whatever the edits before it did. */
type Edit =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'insert' | 'overwrite'; readonly at: number; readonly piece: Buffer }
  | { readonly kind: 'delete' | 'duplicate'; readonly at: number; readonly length: number }
  | { readonly kind: 'move'; readonly at: number; readonly to: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly at: number };

// fast-check distributes doubles by their exponents, so nearly all would be close to zero.
const place = fc.noBias(fc.nat(PLACES)).map((at) => at / (PLACES + 1));
const shortLength = fc.integer({ min: 1, max: 40 });

/** Lengths at the limits of one, two and four bytes, as encoded in SSH, DER, Protocol Buffers and HTTP/2. */
const LENGTHS = [
  [0x00],
  [0x01],
  [0x7f],
  [0x80],
  [0xff],
  [0x81, 0xff],
  [0x82, 0xff, 0xff],
  [0x84, 0xff, 0xff, 0xff, 0xff],
  [0x00, 0x00, 0x00, 0x00],
  [0x00, 0x00, 0x00, 0x01],
  [0x7f, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
].map((bytes) => Buffer.from(bytes));

const bytePiece = fc.oneof(
  fc.constantFrom(...LENGTHS),
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
);

function edits(piece: fc.Arbitrary<Buffer>): fc.Arbitrary<readonly Edit[]> {
  const edit = fc.oneof<fc.Arbitrary<Edit>[]>(
    fc.record({ kind: fc.constant('flip'), at: place, bit: fc.nat(7) }),
    fc.record({ kind: fc.constantFrom('insert', 'overwrite'), at: place, piece }),
    fc.record({ kind: fc.constantFrom('delete', 'duplicate'), at: place, length: shortLength }),
    fc.record({ kind: fc.constant('move'), at: place, to: place, length: shortLength }),
    fc.record({ kind: fc.constant('truncate'), at: place }),
  );
  // One edit gets furthest into a reader; several find problems that no single one does; none tests that the sample
  // itself
  // is valid.
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 10, arbitrary: edit.map((one) => [one]) },
    { weight: 9, arbitrary: fc.array(edit, { minLength: 2, maxLength: 5 }) },
  );
}

function apply(bytes: Buffer, edit: Edit): Buffer {
  const at = Math.floor(edit.at * bytes.length);
  switch (edit.kind) {
    case 'flip': {
      const changed = Buffer.from(bytes);
      if (at < changed.length) changed.writeUInt8(changed.readUInt8(at) ^ (1 << edit.bit), at);
      return changed;
    }
    case 'insert':
      return splice(bytes, at, 0, edit.piece);
    case 'overwrite':
      return splice(bytes, at, edit.piece.length, edit.piece);
    case 'delete':
      return splice(bytes, at, edit.length);
    case 'duplicate':
      return splice(bytes, at, 0, bytes.subarray(at, at + edit.length));
    case 'move': {
      const rest = splice(bytes, at, edit.length);
      return splice(rest, Math.floor(edit.to * rest.length), 0, bytes.subarray(at, at + edit.length));
    }
    case 'truncate':
      return bytes.subarray(0, at);
  }
}

function splice(bytes: Buffer, at: number, removed: number, added: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

/** One of the samples with up to five edits; one time in ten, random bytes. */
export function bytesLike(...samples: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const edited = fc
    .tuple(fc.constantFrom(...samples), edits(bytePiece))
    .map(([sample, all]) => all.reduce(apply, Buffer.from(sample)));
  const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
  return fc.oneof({ weight: 9, arbitrary: edited }, { weight: 1, arbitrary: noise });
}

/** Texts with a meaning in JavaScript, terminals, Unicode or numbers, but not for the reader. */
export const ODD_TEXTS: readonly string[] = [
  ...['\0', '\r\n', '\n', '\r', '\t', ' ', '\u001b[31m', '\u007f', '\u0085', '\u009b', '\u00a0', '\u202e', '\u2028'],
  ...['\ufeff', '\ufffd', '\ud800', '\udc00', '\u{10ffff}', 'ſ', 'İ', 'µ'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', 'Infinity'],
  ...['-0', '-1', '1e999', '9007199254740993', '18446744073709551616', '0x10', '1_000', '99999999999999999999999999'],
  ...['%', '%00', '%zz', '${HOME}', '$(id)', '`id`', "'", '"', '\\', '/', '../', '..\\', '<<', '{{', '}}'],
];

/** One of the samples with up to five edits, which insert unusual texts and the given words. */
export function textLike(samples: readonly string[], words: readonly string[] = []): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(...ODD_TEXTS, ...words),
    fc.string({ minLength: 1, maxLength: 8, unit: 'binary' }),
  );
  const edited = fc
    .tuple(fc.constantFrom(...samples), edits(piece.map((text) => Buffer.from(text, 'utf16le'))))
    // On UTF-16, so that half a character can stay behind.
    .map(([sample, all]) => all.reduce(apply, Buffer.from(sample, 'utf16le')).toString('utf16le'));
  const noise = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
  return fc.oneof({ weight: 9, arbitrary: edited }, { weight: 1, arbitrary: noise });
}

const jsonLeaf = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -0, -1, 1e308, 5e-324, 2 ** 53, '', [], {}),
  fc.constantFrom(...ODD_TEXTS),
  fc.string({ maxLength: 20 }),
);

/** JSON text of the sample in which one value is replaced or removed, or has an additional neighbor. */
export function jsonLike(sample: unknown): fc.Arbitrary<string> {
  const key = fc.constantFrom('__proto__', 'constructor', 'toString', '', 'x');
  const changed = fc
    .tuple(fc.array(place, { minLength: 1, maxLength: 3 }), fc.constantFrom('replace', 'remove', 'add'), key, jsonLeaf)
    .map(([places, change, name, leaf]) => places.reduce((json, at) => changeOne(json, at, change, name, leaf), sample))
    .map((json) => JSON.stringify(json));
  return fc.oneof({ weight: 3, arbitrary: changed }, { weight: 1, arbitrary: textLike([JSON.stringify(sample)]) });
}

type Change = 'replace' | 'remove' | 'add';

/** Descends into the member at that fraction, and further with the rest of the fraction. */
function changeOne(json: unknown, at: number, change: Change, key: string, leaf: unknown): unknown {
  if (typeof json !== 'object' || json === null) return change === 'add' ? [json, leaf] : leaf;
  const entries: [string, unknown][] = Object.entries(json);
  const scaled = at * (entries.length + 1);
  const index = Math.min(Math.floor(scaled), entries.length);
  const [name, value] = entries[index] ?? [key, leaf];
  const fraction = scaled - index;
  const within = index < entries.length && typeof value === 'object' && value !== null && fraction > 0.2;
  if (within) entries[index] = [name, changeOne(value, fraction, change, key, leaf)];
  else if (change === 'remove') entries.splice(index, 1);
  else if (change === 'add') entries.push([key, leaf]);
  else entries[index] = [name, leaf];
  // `fromEntries` keeps the key `__proto__` as an ordinary key.
  return Array.isArray(json) ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

/** One invalid part among valid ones gets further into a reader than many invalid ones. */
export function mostly<T>(good: T, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 6, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: odd });
}
