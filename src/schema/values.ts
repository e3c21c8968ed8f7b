/** Single values: durations in Go's notation (`1h30m`, `90s`, `1.5h`), words that are similar to known ones, CA pins. */

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek mu
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Go counts nanoseconds in 63 bits, which ends a little after 2562047 hours. */
const MAX_DURATION_MS = 2 ** 63 / 1e6;

// Each digit can be matched in one way only: a long number without a unit would take hours otherwise.
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;

/** Milliseconds, possibly with a fraction; `undefined` when Go's `time.ParseDuration` would refuse `text`. */
export function parseDuration(text: string): number | undefined {
  const negative = text.startsWith('-');
  const unsigned = text.replace(/^[-+]/, '');
  if (unsigned === '0') return 0;

  let totalMs = 0;
  let read = 0;
  for (const [part, amount, unit] of unsigned.matchAll(PART)) {
    totalMs += Number(amount) * (MS_PER_UNIT[unit ?? ''] ?? NaN);
    read += part.length;
  }
  if (read === 0 || read !== unsigned.length || totalMs > MAX_DURATION_MS) return undefined;
  return negative ? -totalMs : totalMs;
}

/** As Go's time package reads durations, which has no exponents; at least a millisecond. */
export function goDuration(durationMs: number): string {
  return `${Math.max(1, Math.round(durationMs))}ms`;
}

/** How to correct a text that is not a duration: a number alone can mean minutes or seconds, and Go has no days. */
export function durationAdvice(text: string): string {
  if (/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) return `write ${text}m or ${text}s`;
  const [, days] = /^(\d{1,4})d$/.exec(text) ?? [];
  return days === undefined
    ? 'write a number with its unit, such as 90s, 30m or 1h30m'
    : `write ${Number(days) * 24}h, because there is no unit for days`;
}

// Suggestions for mistyped words.

/** The nearest of `known`, or `undefined` if none is similar enough. */
export function closestMatch(word: string, known: readonly string[]): string | undefined {
  const plain = simplify(word);
  let best: { readonly word: string; readonly distance: number } | undefined;
  const mostDistance = Math.ceil(plain.length / 3);
  for (const candidate of known) {
    const other = simplify(candidate);
    // The difference in length is a lower bound of the distance, so a very long word is not compared.
    if (Math.abs(plain.length - other.length) > mostDistance) continue;
    const distance = editDistance(plain, other);
    if (best === undefined || distance < best.distance) best = { word: candidate, distance };
  }
  return best !== undefined && best.distance <= mostDistance ? best.word : undefined;
}

/** So that `proxyServer` and `Proxy-Server` equal `proxy_server`. */
function simplify(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, column - 2) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}

// CA pins: the SHA-256 of the public key of the cluster's certificate authority.

/** Why `pin` is invalid, or `undefined` if it is `sha256:` with 64 hexadecimal digits. */
export function refuseCaPin(pin: string): string | undefined {
  if (/^sha256:[0-9a-f]{64}$/i.test(pin)) return undefined;
  return `"${pin}" is not a CA pin; it must be "sha256:" and 64 hexadecimal digits, as "tctl status" shows it`;
}
