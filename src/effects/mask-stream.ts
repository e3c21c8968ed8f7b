/**
 * Masks secrets and their parts in a stream of bytes, also across chunks: a program may print a key in shorter lines, or its
 * beginning. Passes on what cannot be a part of a secret at once, so that prompts and progress appear as they would without it.
 * Memory is bounded by the longest secret.
 */

export interface MaskStream {
  /** Returns what may be passed on now. */
  push(chunk: Uint8Array): Buffer;
  /** Whether a few bytes are held back that are unlikely to be a part of a secret. If nothing follows soon, call `relax`. */
  readonly isUnsure: boolean;
  /** Returns those bytes. If a secret follows that begins with them, its rest is still masked. */
  relax(): Buffer;
  /** Returns the rest. */
  end(): Buffer;
}

const REPLACEMENT = Buffer.from('[masked]');
/** Secrets are found by their first bytes. */
const KEY_BYTES = 4;
const FILTER_SIZE = 1 << 16;
/** Fewer bytes of a secret than this are harmless. */
const TELLING_BYTES = 8;
/** A part of a secret that is at least this long is masked, except for what is before the next of its multiples of `STEP_BYTES`. */
const PART_BYTES = 16;
const STEP_BYTES = 8;
const NOTHING = Buffer.alloc(0);

/** @param secrets of at least `KEY_BYTES` bytes; shorter ones are not masked. Of those below `PART_BYTES`, only the whole is */
export function createMaskStream(secrets: readonly string[]): MaskStream {
  const table = tableOf(secrets);
  let held: Buffer = NOTHING;
  /** How many of the held bytes have been passed on already. */
  let passed = 0;
  const scan = (text: Buffer, isEnd: boolean): Buffer => {
    const { kept, parts } = masked(text, passed, table, isEnd);
    passed = Math.max(0, passed - kept);
    held = text.subarray(kept);
    return Buffer.concat(parts);
  };
  return {
    push: (chunk) =>
      table.size === 0
        ? Buffer.from(chunk)
        : scan(held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]), false),
    get isUnsure() {
      return held.length > passed && held.length < TELLING_BYTES;
    },
    relax: () => {
      const rest = held.subarray(passed);
      passed = held.length;
      return rest;
    },
    end: () => scan(held, true),
  };
}

interface Table {
  readonly size: number;
  /** By the first bytes. */
  readonly byKey: ReadonlyMap<number, readonly Buffer[]>;
  /** Which first bytes there are, by a hash. */
  readonly filter: Uint8Array;
  /** The secrets that begin with a byte. */
  readonly byFirst: ReadonlyMap<number, readonly Buffer[]>;
}

function tableOf(secrets: readonly string[]): Table {
  const all = [...new Set(secrets)]
    .map((secret) => Buffer.from(secret))
    .filter(({ length }) => length >= KEY_BYTES)
    .flatMap(tails);
  const filter = new Uint8Array(FILTER_SIZE);
  const byKey = new Map<number, Buffer[]>();
  const byFirst = new Map<number, Buffer[]>();
  for (const secret of all) {
    const key = secret.readUInt32BE(0);
    filter[hash(key)] = 1;
    byKey.set(key, [...(byKey.get(key) ?? []), secret]);
    const first = secret.readUInt8(0);
    byFirst.set(first, [...(byFirst.get(first) ?? []), secret]);
  }
  return { size: all.length, byKey, filter, byFirst };
}

/** The secret, and its ends that begin at the multiples of `STEP_BYTES`. */
function tails(secret: Buffer): readonly Buffer[] {
  const count = Math.max(1, Math.floor((secret.length - PART_BYTES) / STEP_BYTES) + 1);
  return Array.from({ length: count }, (_, at) => secret.subarray(at * STEP_BYTES));
}

function hash(key: number): number {
  return (key ^ (key >>> 16)) & (FILTER_SIZE - 1);
}

/**
 * @param passed the number of bytes at the start that have been passed on already
 * @returns what to pass on, and where the bytes begin that must be kept until more follow
 */
function masked(
  text: Buffer,
  passed: number,
  table: Table,
  isEnd: boolean,
): { readonly parts: readonly Buffer[]; readonly kept: number } {
  const parts: Buffer[] = [];
  let from = 0;
  const passOn = (to: number) => {
    const start = Math.max(from, passed);
    if (to > start) parts.push(text.subarray(start, to));
  };
  for (let at = nextCandidate(text, 0, table); at < text.length; at = nextCandidate(text, at, table)) {
    const found = secretAt(text, at, table, isEnd);
    if (found === 'incomplete') {
      passOn(at);
      return { parts, kept: at };
    }
    if (found === 0) {
      at += 1;
      continue;
    }
    passOn(at);
    parts.push(REPLACEMENT);
    at += found;
    from = at;
  }
  passOn(text.length);
  return { parts, kept: text.length };
}

/** The next place at which a secret may begin, from `from` on. Nearly all bytes of a stream are only seen here. */
function nextCandidate(text: Buffer, from: number, { filter }: Table): number {
  const end = text.length - KEY_BYTES + 1;
  let key = ((text[from] ?? 0) << 16) | ((text[from + 1] ?? 0) << 8) | (text[from + 2] ?? 0);
  for (let at = from; at < end; at += 1) {
    key = (key << 8) | (text[at + 3] ?? 0);
    if (filter[hash(key)] === 1) return at;
  }
  return Math.max(from, end);
}

/** The length of the secret, or of the part of one, that begins there; 0 for none; `incomplete` if more bytes must follow to know. */
function secretAt(text: Buffer, at: number, { byFirst, byKey, filter }: Table, isEnd: boolean): number | 'incomplete' {
  const left = text.length - at;
  if (left < KEY_BYTES) {
    if (isEnd) return 0;
    const candidates = byFirst.get(text.readUInt8(at)) ?? [];
    return candidates.some((secret) => secret.compare(text, at, text.length, 0, left) === 0) ? 'incomplete' : 0;
  }
  const key = text.readUInt32BE(at);
  if (filter[hash(key)] !== 1) return 0;
  let longest = 0;
  for (const secret of byKey.get(key) ?? []) {
    const length = commonLength(text, at, secret);
    if (length === left && length < secret.length && !isEnd) return 'incomplete';
    if (length >= Math.min(PART_BYTES, secret.length)) longest = Math.max(longest, length);
  }
  return longest;
}

/** How many bytes of the secret are there, from its first one on. */
function commonLength(text: Buffer, at: number, secret: Buffer): number {
  const most = Math.min(text.length - at, secret.length);
  let length = KEY_BYTES;
  while (length < most && text[at + length] === secret[length]) length += 1;
  return length;
}
