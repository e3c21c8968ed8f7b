/** Time: the clock, deadlines, and limits on the silence of a server. */
import { setMaxListeners } from 'node:events';
import { type HostPort, MachineIdError } from '../errors.ts';

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds on a monotonic clock; only differences are meaningful. */
  elapsedMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason if it is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep: async (durationMs, signal) => {
    const { setTimeout: delay } = await import('node:timers/promises');
    await delay(durationMs, undefined, signal === undefined ? {} : { signal });
  },
};

/** Calls `work` every `intervalMs` until the returned function is called. Does not keep the process alive. */
export function every(intervalMs: number, work: () => void): () => void {
  const timer = setInterval(work, intervalMs).unref();
  return () => {
    clearInterval(timer);
  };
}

/** Calls `work` after `delayMs`, unless the returned function is called before. */
export function after(delayMs: number, work: () => void): () => void {
  const timer = setTimeout(work, delayMs);
  return () => {
    clearTimeout(timer);
  };
}

interface DeadlineOptions {
  /** The server, as the subject of a sentence: `the Proxy a.example.com:443`. */
  readonly waitingFor: string;
  readonly timeoutMs: number;
  /** Where the work connects to; a function, if what is known of the place changes meanwhile. */
  readonly unreached?: HostPort | (() => HostPort) | undefined;
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that is aborted when the time is up or the outer signal is aborted. Settles in time even if the
 * work ignores the signal.
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
      new MachineIdError('TIMEOUT', `${waitingFor} did not respond within ${seconds(timeoutMs)}`, {
        hint: 'Check that the address is correct and that no firewall between this job and the cluster drops packets ("doctor --egress" tries every connection that the job needs). --timeout changes the limit, up to --deadline.',
        unreached: typeof unreached === 'function' ? unreached() : unreached,
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

/** Rounded, since the rest of a deadline is not a round number. */
function seconds(durationMs: number): string {
  const digits = durationMs < 1000 ? 3 : 1;
  return `${Number((durationMs / 1000).toFixed(digits))} s`;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Limits each single wait of work that may take long as a whole. */
export interface SilenceLimit {
  /** Aborted when a wait takes too long, when the outer signal is aborted, or by `end`. */
  readonly signal: AbortSignal;
  /** Waits for a promise that settles when the signal is aborted; then throws the signal's reason. */
  wait<T>(promise: Promise<T>): Promise<T>;
  /** Aborts the signal, and stops listening to the outer one. */
  end(): void;
}

interface SilenceLimitOptions {
  /** The server, as the subject of a sentence. */
  readonly waitingFor: string;
  readonly timeoutMs: number;
  /** Where the work connects to. */
  readonly unreached?: HostPort | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A wait that takes longer than `timeoutMs` throws MachineIdError TIMEOUT. */
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
        hint: 'Check that no firewall between this job and that server drops packets. --timeout changes the limit, up to --deadline.',
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

/**
 * Runs `work` with its own signal, which is aborted with the outer one: listeners that the work leaves on it do not add up
 * in a process that does such work again and again.
 */
export async function withOwnSignal<T>(outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = sharedController();
  const onAbort = () => {
    controller.abort(outer.reason);
  };
  if (outer.aborted) onAbort();
  outer.addEventListener('abort', onAbort, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    outer.removeEventListener('abort', onAbort);
  }
}

/** A controller whose signal may have any number of listeners; for others, Node warns of a leak at the eleventh. */
export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
