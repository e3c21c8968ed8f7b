/** Checks the validity period of credentials, and formats times for messages. */
import { MachineIdError } from '../errors.ts';

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

// The end of a certificate, without Node's parser: to load that takes longer than all else that kubectl's plugin does.

const SEQUENCE = 0x30;
const VERSION = 0xa0;
const TIMES: Readonly<Record<number, RegExp>> = {
  // UTCTime and GeneralizedTime, as RFC 5280 section 4.1.2.5 restricts them.
  0x17: /^(?<year>\d\d)(?<month>\d\d)(?<day>\d\d)(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)Z$/,
  0x18: /^(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)Z$/,
};

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/**
 * `notAfter` of an X.509 certificate, in milliseconds since the Unix epoch. Checks nothing else.
 * @param der RFC 5280 section 4.1
 * @throws MachineIdError RESPONSE_INVALID
 */
export function certificateEndMs(der: Uint8Array): number {
  const [certificate, ...trailing] = elementsOf(der);
  const [fields] = inSequence(certificate);
  const [first, ...others] = inSequence(fields);
  const [serial, algorithm, issuer, validity] = first?.tag === VERSION ? others : [first, ...others];
  const [, notAfter] = inSequence(validity);
  if (trailing.length > 0 || serial === undefined || algorithm === undefined || issuer === undefined)
    throw unreadableCertificate(NO_END);
  return timeOf(notAfter);
}

function inSequence(element: Element | undefined): readonly Element[] {
  if (element?.tag !== SEQUENCE) throw unreadableCertificate(NO_END);
  return elementsOf(element.content);
}

/** DER, ITU-T X.690 section 8.1: tags of one byte, and lengths of at most four. */
function elementsOf(bytes: Uint8Array): readonly Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag = 0, short = 0] = bytes.subarray(at, at + 2);
    const lengthBytes = short < 0x80 ? 0 : short - 0x80;
    const start = at + 2 + lengthBytes;
    if (lengthBytes > 4 || start > bytes.length) throw unreadableCertificate(NO_END);
    const length = bytes.subarray(at + 2, start).reduce((sum, byte) => sum * 256 + byte, lengthBytes === 0 ? short : 0);
    at = start + length;
    if (at > bytes.length) throw unreadableCertificate(NO_END);
    elements.push({ tag, content: bytes.subarray(start, at) });
  }
  return elements;
}

function timeOf(element: Element | undefined): number {
  const { tag, content } = element ?? { tag: 0, content: new Uint8Array() };
  const {
    day,
    hour,
    minute,
    month,
    second,
    year = '',
  } = TIMES[tag]?.exec(String.fromCharCode(...content))?.groups ?? {};
  // RFC 5280 section 4.1.2.5.1: two digits mean 1950 to 2049.
  const century = year.length === 4 ? '' : Number(year) < 50 ? '20' : '19';
  const time = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  const timeMs = Date.parse(time);
  // JavaScript takes a day that does not exist for one of the next month.
  if (Number.isNaN(timeMs) || utcTime(timeMs) !== time) throw unreadableCertificate(NO_END);
  return timeMs;
}

const NO_END = 'its end is not where it must be';

export function unreadableCertificate(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `a certificate from the cluster cannot be read: ${detail}`, {
    hint: 'Run the job again. If the error persists, check what is between this job and the cluster.',
    cause,
  });
}
