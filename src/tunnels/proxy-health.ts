/**
 * Asks the Proxy again and again whether it answers. Errors of connections alone are not enough: a Proxy that has stalled, or a
 * machine that is gone, gives none.
 */
import type { Log } from '../effects/log.ts';
import { type Clock, withDeadline } from '../effects/time.ts';
import { seconds, utcTime } from '../crypto/validity.ts';
import { asMachineIdError, MachineIdError } from '../errors.ts';

export interface ProxyProblem {
  readonly error: MachineIdError;
  readonly sinceMs: number;
  /** It accepts connections and sends nothing, or no packet arrives: connections that are open get no answers either. */
  readonly isSilent: boolean;
}

export interface ProxyHealth {
  /** Undefined while the Proxy answers. */
  problem(): ProxyProblem | undefined;
  /** A connection has failed: asks now. */
  suspect(): void;
  /** Calls `act` when the Proxy has stopped answering, until the returned function is called. */
  onProblem(act: (problem: ProxyProblem) => void): () => void;
  /** Since when it answers, or does not. */
  readonly sinceMs: () => number;
  /** How often it has stopped answering. */
  readonly outages: () => number;
}

interface HealthOptions {
  /** As the subject of a sentence. */
  readonly name: string;
  /** Asks once, without a time limit. @throws MachineIdError */
  readonly ask: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Pick<Log, 'info' | 'warn'>;
  readonly signal: AbortSignal;
}

export const HEALTH_POLICY = {
  /** Between two questions while the Proxy answers. */
  intervalMs: 10_000,
  /** Between two questions although connections fail meanwhile: a client may try again and again. */
  suspectPauseMs: 1_000,
  /** The longest wait for an answer. */
  timeoutMs: 10_000,
  /** After a failure; doubles with each, and is random, so that the jobs of one cluster do not ask together. */
  firstPauseMs: 500,
  longestPauseMs: 10_000,
} as const;

/** Assumes that the Proxy answers until it is asked for the first time. */
export function watchProxy(options: HealthOptions): ProxyHealth {
  const { clock, log, name, random, signal } = options;
  const listeners = new Set<(problem: ProxyProblem) => void>();
  let problem: ProxyProblem | undefined;
  let sinceMs = clock.nowMs();
  let outages = 0;
  let isSuspected = false;
  let wake: () => void = () => undefined;

  const failed = (cause: unknown) => {
    const error = asMachineIdError(cause);
    const isNew = problem === undefined;
    if (isNew) [sinceMs, outages] = [clock.nowMs(), outages + 1];
    problem = { error, sinceMs, isSilent: error.code === 'TIMEOUT' };
    if (isNew) {
      log.warn(`${name} does not answer: ${error.message}; new connections are refused until it does`);
    }
    for (const act of listeners) act(problem);
  };
  const answered = () => {
    if (problem === undefined) return;
    const lastedMs = clock.nowMs() - sinceMs;
    [problem, sinceMs] = [undefined, clock.nowMs()];
    log.info(`${name} answers again, after ${seconds(lastedMs)}`);
  };
  const watch = async () => {
    let failures = 0;
    for (;;) {
      if (failures > 0) await clock.sleep(pauseAfter(failures, random), signal);
      else {
        const { intervalMs, suspectPauseMs } = HEALTH_POLICY;
        await clock.sleep(suspectPauseMs, signal);
        const leftMs = intervalMs - suspectPauseMs;
        if (!isSuspected) await sleepUnlessWoken(leftMs, { clock, signal }, (wakeUp) => (wake = wakeUp));
      }
      isSuspected = false;
      try {
        const deadline = { waitingFor: name, timeoutMs: HEALTH_POLICY.timeoutMs, signal };
        await withDeadline(deadline, options.ask);
        failures = 0;
        answered();
      } catch (error) {
        signal.throwIfAborted();
        failures += 1;
        failed(error);
      }
    }
  };
  // Ends with the signal.
  watch().catch(() => undefined);
  return {
    problem: () => problem,
    suspect: () => {
      isSuspected = true;
      wake();
    },
    onProblem: (act) => {
      listeners.add(act);
      return () => listeners.delete(act);
    },
    sinceMs: () => sinceMs,
    outages: () => outages,
  };
}

function pauseAfter(failures: number, random: () => number): number {
  const longestMs = Math.min(HEALTH_POLICY.longestPauseMs, HEALTH_POLICY.firstPauseMs * 2 ** (failures - 1));
  return longestMs * (0.5 + random() / 2);
}

/** @throws the signal's reason */
async function sleepUnlessWoken(
  durationMs: number,
  { clock, signal }: Pick<HealthOptions, 'clock' | 'signal'>,
  onSleep: (wake: () => void) => void,
): Promise<void> {
  const woken = new AbortController();
  const end = () => {
    woken.abort();
  };
  onSleep(end);
  signal.addEventListener('abort', end);
  try {
    await clock.sleep(durationMs, woken.signal).catch(() => undefined);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', end);
    onSleep(() => undefined);
  }
}

/** The error of a client while the Proxy does not answer. */
export function unavailable(name: string, { error, sinceMs }: ProxyProblem): MachineIdError {
  const message = `${name} has not answered since ${utcTime(sinceMs)}: ${error.message}`;
  return new MachineIdError('TUNNEL_UNAVAILABLE', message, { hint: error.hint, cause: error });
}
