/** Durations in Go's notation: `1h30m`, `90s`, `1.5h`. */

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

/** How to write the duration that a text is not: a number alone may mean minutes or seconds, and Go has no days. */
export function durationAdvice(text: string): string {
  if (/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) return `write ${text}m or ${text}s`;
  const [, days] = /^(\d{1,4})d$/.exec(text) ?? [];
  return days === undefined
    ? 'write a number with its unit, such as 90s, 30m or 1h30m'
    : `write ${Number(days) * 24}h, as there is no unit for days`;
}

/** Go counts nanoseconds in 63 bits, which ends a little after 2562047 hours. */
const LONGEST_MS = 2 ** 63 / 1e6;

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
  if (read === 0 || read !== unsigned.length || totalMs > LONGEST_MS) return undefined;
  return negative ? -totalMs : totalMs;
}
