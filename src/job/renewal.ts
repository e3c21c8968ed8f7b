/** Renews what expires, before its end: when, and what is tried again after a failure. */
import { utcTime } from '../crypto/validity.ts';
import type { Clock } from '../effects/time.ts';
import { asMachineIdError, type MachineIdError } from '../errors.ts';

export interface RenewalTimes {
  readonly expiresAtMs: number;
  /** The next attempt. */
  readonly nextAtMs: number;
}

export interface RenewalEvents {
  readonly renewed: (times: RenewalTimes) => Promise<void>;
  /** Called for each failure that is followed by another attempt. */
  readonly failed: (error: MachineIdError, times: RenewalTimes) => Promise<void>;
}

export interface RenewalOptions {
  /** When the present credentials expire. */
  readonly expiresAtMs: number;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  readonly signal: AbortSignal;
  /** Renews once; returns when the new credentials expire. */
  readonly renew: () => Promise<number>;
  readonly events: RenewalEvents;
  /** Five minutes by default. */
  readonly longestPauseMs?: number;
  /** Whether it ends with a failure that another attempt does not change, once the credentials have expired. By default it does. */
  readonly givesUp?: boolean;
}

/** A third of the lifetime is left for further attempts. */
const RENEWED_AFTER = 2 / 3;

const SHORTEST_PAUSE_MS = 1000;

/** Pauses between attempts grow from the first to the longest. */
const FIRST_PAUSE_MS = 15_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** The clock of a suspended machine jumps, so a long wait consists of short ones. */
const LONGEST_SLEEP_MS = 30_000;

export function nextRenewalMs(nowMs: number, expiresAtMs: number): number {
  return nowMs + Math.max(0, expiresAtMs - nowMs) * RENEWED_AFTER;
}

/**
 * Renews again and again. A failure is tried again until the credentials have expired; after that, only if it is temporary.
 * @throws the signal's reason; the last failure
 */
export async function keepRenewed({
  clock,
  events,
  givesUp = true,
  longestPauseMs = LONGEST_PAUSE_MS,
  renew,
  signal,
  ...options
}: RenewalOptions): Promise<never> {
  let { expiresAtMs } = options;
  let nextAtMs = nextRenewalMs(clock.nowMs(), expiresAtMs);
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    await sleepUntil(nextAtMs, clock, signal);
    try {
      const newExpiryMs = await renew();
      const isLater = newExpiryMs > expiresAtMs;
      expiresAtMs = newExpiryMs;
      // A cluster that grants no more time is not asked again and again.
      nextAtMs = Math.max(
        nextRenewalMs(clock.nowMs(), expiresAtMs),
        clock.nowMs() + (isLater ? SHORTEST_PAUSE_MS : pauseMs),
      );
      pauseMs = isLater ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, longestPauseMs);
      await events.renewed({ expiresAtMs, nextAtMs });
    } catch (cause) {
      signal.throwIfAborted();
      const error = asMachineIdError(cause);
      const nowMs = clock.nowMs();
      if (givesUp && nowMs >= expiresAtMs && error.transient === undefined) throw error;
      // The last attempt is just before they expire, whatever the pauses are.
      const lastMs = nowMs < expiresAtMs ? expiresAtMs : Infinity;
      nextAtMs = Math.min(nowMs + pauseMs, lastMs);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      await events.failed(error, { expiresAtMs, nextAtMs });
    }
  }
}

async function sleepUntil(timeMs: number, clock: RenewalOptions['clock'], signal: AbortSignal): Promise<void> {
  for (let leftMs = timeMs - clock.nowMs(); leftMs > 0; leftMs = timeMs - clock.nowMs()) {
    await clock.sleep(Math.min(leftMs, LONGEST_SLEEP_MS), signal);
  }
}

/** `are valid until 2026-11-23T10:00:00Z`, or since when they are not. */
export function validityText(expiresAtMs: number, nowMs: number): string {
  return expiresAtMs > nowMs ? `are valid until ${utcTime(expiresAtMs)}` : `expired at ${utcTime(expiresAtMs)}`;
}
