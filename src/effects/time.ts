/** Time: the clock, deadlines, and limits on silence. */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type HostPort, MachineIdError } from '../errors.ts';

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds on a clock that never jumps; only differences mean something. */
  elapsedMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep: (durationMs, signal) => delay(durationMs, undefined, signal === undefined ? {} : { signal }),
};

/** Calls `work` each `intervalMs` until the returned function is called. Does not keep the process alive. */
export function every(intervalMs: number, work: () => void): () => void {
  const timer = setInterval(work, intervalMs).unref();
  return () => {
    clearInterval(timer);
  };
}

// Bounds a wait: whatever the work does, the caller hears within the time.

interface DeadlineOptions {
  /** Who is waited for, as the subject of a sentence: `the Proxy a.example.com:443`. */
  readonly waitingFor: string;
  readonly timeoutMs: number;
  /** What is connected to during the wait. */
  readonly unreached?: HostPort | undefined;
  /** Ends the wait early, with the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that is aborted when the time is up or the outer signal is.
 * @throws MachineIdError TIMEOUT, or the outer signal's reason, or what the work throws
 */
export async function withDeadline<T>(
  { waitingFor, timeoutMs, unreached, signal: outer }: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  const expired = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(asError(signal.reason));
    });
  });
  const timer = setTimeout(() => {
    controller.abort(
      new MachineIdError('TIMEOUT', `${waitingFor} did not answer within ${seconds(timeoutMs)}`, {
        hint: 'Check that the address is right and that no firewall between this job and the cluster drops packets ("doctor --egress" tries every connection of the job); --timeout changes the limit, up to that of --deadline.',
        unreached,
      }),
    );
  }, timeoutMs);
  const onOuterAbort = () => {
    controller.abort(asError(outer?.reason));
  };
  outer?.addEventListener('abort', onOuterAbort, { once: true });
  try {
    return await Promise.race([work(signal), expired]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onOuterAbort);
  }
}

/** What is left of a deadline is no round number. */
function seconds(durationMs: number): string {
  const digits = durationMs < 1000 ? 3 : 1;
  return `${Number((durationMs / 1000).toFixed(digits))} s`;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

// Bounds each single wait of a work that is long altogether.

export interface SilenceLimit {
  /** Aborted when a wait was too long, when the outer signal is, or at the end. */
  readonly signal: AbortSignal;
  /** Waits for what heeds the signal; throws the signal's reason once that is aborted. */
  wait<T>(promise: Promise<T>): Promise<T>;
  /** Lets go of the outer signal and of whatever still heeds ours. */
  end(): void;
}

interface SilenceLimitOptions {
  /** Who is waited for, as the subject of a sentence. */
  readonly waitingFor: string;
  readonly timeoutMs: number;
  /** What is connected to. */
  readonly unreached?: HostPort | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A wait throws MachineIdError TIMEOUT when it takes longer than `timeoutMs`. */
export function limitSilence({ waitingFor, timeoutMs, unreached, signal: outer }: SilenceLimitOptions): SilenceLimit {
  const controller = new AbortController();
  const { signal } = controller;
  const onOuterAbort = () => {
    controller.abort(outer?.reason);
  };
  if (outer?.aborted === true) onOuterAbort();
  outer?.addEventListener('abort', onOuterAbort, { once: true });
  const onSilence = () => {
    controller.abort(
      new MachineIdError('TIMEOUT', `${waitingFor} sent nothing for ${seconds(timeoutMs)}`, {
        hint: 'Check that no firewall between this job and that server drops packets; --timeout changes the limit, up to that of --deadline.',
        unreached,
      }),
    );
  };
  return {
    signal,
    wait: async (promise) => {
      const timer = setTimeout(onSilence, timeoutMs);
      try {
        return await promise;
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    end: () => {
      outer?.removeEventListener('abort', onOuterAbort);
      controller.abort();
    },
  };
}

// A controller whose signal any number of calls may wait on.

/** Of others, Node takes the eleventh listener for a leak and says so on stderr. */
export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
