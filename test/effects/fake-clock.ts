/** A clock on which waiting takes no time. */
import type { Clock } from '../../src/effects/time.ts';

export interface FakeClock extends Clock {
  /** How long was waited, in order. */
  readonly waitsMs: number[];
  pass(durationMs: number): void;
}

export function fakeClock(): FakeClock {
  let nowMs = Date.UTC(2026, 0, 1);
  const waitsMs: number[] = [];
  const pass = (durationMs: number) => {
    nowMs += durationMs;
  };
  return {
    waitsMs,
    pass,
    nowMs: () => nowMs,
    elapsedMs: () => nowMs,
    sleep: (durationMs, signal) => {
      signal?.throwIfAborted();
      waitsMs.push(durationMs);
      pass(durationMs);
      return Promise.resolve();
    },
  };
}
