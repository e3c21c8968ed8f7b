/** Protocols that a tunnel does not know. A Proxy that refuses a connection closes it at once. */
import type { Clock } from '../effects/time.ts';
import { readAnswer, type Wire } from './wire.ts';

/** A refusal arrives within a round trip. */
const STAYS_OPEN_MS = 1000;

export function quietWire(clock: Pick<Clock, 'sleep'>): Wire {
  return {
    probe: async (upstream, signal) => {
      const waiting = new AbortController();
      try {
        // The one that loses has a handler by the race.
        const staysOpen = clock.sleep(STAYS_OPEN_MS, waiting.signal);
        await Promise.race([staysOpen, readAnswer(upstream, signal, () => true)]);
      } finally {
        waiting.abort();
      }
    },
  };
}
