/** Points in time as certificates and messages give them, and whether credentials are valid now and for as long as asked. */
import { createHash } from 'node:crypto';

/** RFC 5280 section 4.1.2.5 has the last second of the year 9999 for what has no end. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59);
const FIRST_MS = Date.parse('0000-01-01T00:00:00Z');

/** ISO 8601 in UTC without milliseconds: `2026-11-23T10:00:00Z`. What has no end, or ends later, has the year 9999. */
export function utcTime(timeMs: number): string {
  if (Number.isNaN(timeMs)) return 'an unknown time';
  const shownMs = Math.min(Math.max(timeMs, FIRST_MS), LAST_MS);
  return new Date(shownMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/**
 * How far the clocks of this machine, the cluster and CircleCI may differ. Teleport's certificates begin a minute before
 * they are issued; its own client does not compare that with its clock at all.
 */
export const CLOCK_TOLERANCE_MS = 5 * 60 * 1000;

/** In milliseconds since the Unix epoch. */
export interface Validity {
  readonly beginsAtMs: number;
  /** Infinite, or later than any date, for what has no end. */
  readonly endsAtMs: number;
}

export interface ValidityExpectation {
  readonly nowMs: number;
  /** The end that was asked for. */
  readonly askedMs: number;
}

/**
 * Why credentials are not accepted. A cluster may shorten what was asked; it does not lengthen it, and a longer lifetime
 * would leave a credential that outlives the job by more than its owner allowed.
 * @param what as a message calls the credentials
 * @returns undefined when they are valid now and no longer than asked
 */
export function validityProblem(
  what: string,
  { beginsAtMs, endsAtMs }: Validity,
  { askedMs, nowMs }: ValidityExpectation,
): string | undefined {
  if (!(endsAtMs > nowMs)) return `${what} ended at ${utcTime(endsAtMs)}, and it is ${utcTime(nowMs)}`;
  if (!(beginsAtMs <= nowMs + CLOCK_TOLERANCE_MS)) return notYetValid(what, beginsAtMs, nowMs);
  if (endsAtMs > askedMs + CLOCK_TOLERANCE_MS) {
    return `${what} is valid until ${utcTime(endsAtMs)}, longer than asked: until ${utcTime(askedMs)}`;
  }
  return undefined;
}

/** What to say of credentials that begin too far in the future of this machine's clock. */
export function notYetValid(what: string, beginsAtMs: number, nowMs: number): string {
  return `${what} begins at ${utcTime(beginsAtMs)}, and this machine's clock says ${utcTime(nowMs)}, ${seconds(beginsAtMs - nowMs)} earlier`;
}

/** A sentence about a clock that credentials prove to be behind; undefined when they begin in its past. */
export function clockNotice(beginsAtMs: number, nowMs: number): string | undefined {
  if (beginsAtMs <= nowMs) return undefined;
  return `this machine's clock is at least ${seconds(beginsAtMs - nowMs)} behind: set it by NTP`;
}

/** Rounded up. */
export function seconds(durationMs: number): string {
  const count = Math.ceil(durationMs / 1000);
  return `${count} ${count === 1 ? 'second' : 'seconds'}`;
}

// Digests.

/** Hexadecimal, lower case. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
