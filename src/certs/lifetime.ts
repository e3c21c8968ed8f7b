/** Says when a cluster gave a shorter lifetime than asked. */
import { CLOCK_TOLERANCE_MS, utcTime } from '../crypto/validity.ts';

/** How much earlier than asked a credential may end without a word: clocks and the request's own way. */
const TOLERANCE_MS = 60_000;

/**
 * @param limit what shortens such a lifetime
 * @returns a sentence for the summary, or undefined when the lifetime is as asked
 */
export function shortenedLifetime(askedMs: number, givenMs: number, limit: string): string | undefined {
  if (givenMs >= askedMs - TOLERANCE_MS) return undefined;
  return `the cluster shortened the lifetime: asked until ${utcTime(askedMs)}, given until ${utcTime(givenMs)} (${limit})`;
}

/** For credentials that another program has asked for: a sentence when they end later than asked. */
export function lengthenedLifetime(askedMs: number, givenMs: number): string | undefined {
  if (givenMs <= askedMs + CLOCK_TOLERANCE_MS) return undefined;
  return `they live longer than asked: asked until ${utcTime(askedMs)}, given until ${utcTime(givenMs)}`;
}
