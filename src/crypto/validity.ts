/** Checks the validity period of credentials, and formats times for messages. */

/** RFC 5280 section 4.1.2.5 uses the last second of the year 9999 for certificates without an end. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59);
const FIRST_MS = Date.parse('0000-01-01T00:00:00Z');

/** ISO 8601 in UTC without milliseconds: `2026-11-23T10:00:00Z`. Later times, or no end at all, are shown as the end of 9999. */
export function utcTime(timeMs: number): string {
  if (Number.isNaN(timeMs)) return 'an unknown time';
  const shownMs = Math.min(Math.max(timeMs, FIRST_MS), LAST_MS);
  return new Date(shownMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/**
 * How far the clocks of this machine, the cluster and CircleCI may differ. Teleport's certificates begin a minute before
 * they are issued, and its own client does not check the start at all.
 */
export const CLOCK_TOLERANCE_MS = 5 * 60 * 1000;

/** In milliseconds since the Unix epoch. */
export interface Validity {
  readonly beginsAtMs: number;
  /** Infinite, or later than any date, if there is no end. */
  readonly endsAtMs: number;
}

export interface ValidityExpectation {
  readonly nowMs: number;
  /** The requested end. */
  readonly askedMs: number;
}

/**
 * Why credentials are rejected. A cluster may shorten the requested lifetime but never extends it, and longer credentials
 * would outlive the job by more than their owner allowed.
 * @param what the credentials' name in a message
 * @returns undefined if they are valid now and not longer than requested
 */
export function validityProblem(
  what: string,
  { beginsAtMs, endsAtMs }: Validity,
  { askedMs, nowMs }: ValidityExpectation,
): string | undefined {
  if (!(endsAtMs > nowMs)) return `${what} expired at ${utcTime(endsAtMs)}, and it is ${utcTime(nowMs)}`;
  if (!(beginsAtMs <= nowMs + CLOCK_TOLERANCE_MS)) return notYetValid(what, beginsAtMs, nowMs);
  if (endsAtMs > askedMs + CLOCK_TOLERANCE_MS) {
    return `${what} is valid until ${utcTime(endsAtMs)}, longer than requested: until ${utcTime(askedMs)}`;
  }
  return undefined;
}

/** The message for credentials that begin too far in the future by this machine's clock. */
export function notYetValid(what: string, beginsAtMs: number, nowMs: number): string {
  return `${what} is valid from ${utcTime(beginsAtMs)}, but this machine's clock says ${utcTime(nowMs)}, ${seconds(beginsAtMs - nowMs)} earlier`;
}

/** A clause if the credentials prove that this machine's clock is behind; undefined if they began in the past. */
export function clockNotice(beginsAtMs: number, nowMs: number): string | undefined {
  if (beginsAtMs <= nowMs) return undefined;
  return `this machine's clock is at least ${seconds(beginsAtMs - nowMs)} behind: set it with NTP`;
}

/** Rounded up. */
export function seconds(durationMs: number): string {
  const count = Math.ceil(durationMs / 1000);
  return `${count} ${count === 1 ? 'second' : 'seconds'}`;
}
