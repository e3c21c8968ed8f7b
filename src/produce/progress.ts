/** Tells a person what was done and how long it took, as it happens. */
import type { Clock } from '../effects/clock.ts';
import type { Log } from '../effects/log.ts';

/** The phases of a run, in the order in which they end. */
export type Phase = 'config' | 'oidcToken' | 'discovery' | 'join' | 'auth' | 'certificates' | 'aws' | 'write';

/** The summary has one line for each output. */
const OF_OUTPUTS: ReadonlySet<Phase> = new Set(['certificates', 'aws', 'write']);

export interface Progress {
  /** A phase has ended; `message` says with what. Phases may overlap, so each is timed from the run's start. */
  done(phase: Phase, message: string): void;
  /** Milliseconds from the start of the run to the end of each phase, and `total` until now. */
  timingsMs(): Readonly<Record<string, number>>;
}

/** @param startMs of the run, by the clock's `elapsedMs` */
export function startProgress(log: Pick<Log, 'debug' | 'info'>, clock: Clock, startMs: number): Progress {
  const sinceStart = () => Math.round(clock.elapsedMs() - startMs);
  const ends = new Map<string, number>();
  return {
    done: (phase, message) => {
      const atMs = sinceStart();
      ends.set(phase, atMs);
      const line = `[${String(atMs).padStart(5)} ms] ${message}`;
      if (OF_OUTPUTS.has(phase)) log.debug(line);
      else log.info(line);
    },
    timingsMs: () => ({ ...Object.fromEntries(ends), total: sinceStart() }),
  };
}
