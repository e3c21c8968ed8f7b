/** Reports every connection step by step; without a trace nothing is counted or written. */
import type { Clock } from '../effects/clock.ts';
import type { Log } from '../effects/log.ts';
import { type WireEvent, wireText } from './wire-event.ts';

export interface WireTrace {
  /** @param to who is at the other end, in our words: `join service` */
  connection(to: string): WireConnection;
}

/** One connection, told apart from the others by its number. */
export interface WireConnection {
  tell(event: WireEvent): void;
  /** Starts to measure; what comes back is called for the whole milliseconds since then. */
  stopwatch(): () => number;
}

/** Lines of the log at the level debug, timed from this call on. */
export function startWireTrace(log: Pick<Log, 'debug'>, clock: Pick<Clock, 'elapsedMs'>): WireTrace {
  const stopwatch = () => {
    const startMs = clock.elapsedMs();
    return () => Math.round(clock.elapsedMs() - startMs);
  };
  const sinceStart = stopwatch();
  let connections = 0;
  return {
    connection: (to) => {
      connections += 1;
      const connection = connections;
      return {
        stopwatch,
        tell: (told) => {
          const atMs = sinceStart();
          const message = `[${String(atMs).padStart(5)} ms] #${connection} ${to} ${wireText(told)}`;
          log.debug(message, { atMs, connection, to, ...told });
        },
      };
    },
  };
}
