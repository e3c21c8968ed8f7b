/** Bounds a wait: whatever the work does, the caller hears within the time. */
import { MachineIdError, type Place } from '../errors.ts';

export interface DeadlineOptions {
  /** Who is waited for, as the subject of a sentence: `the Proxy a.example.com:443`. */
  readonly waitingFor: string;
  readonly timeoutMs: number;
  /** What is connected to during the wait. */
  readonly unreached?: Place | undefined;
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
export function seconds(durationMs: number): string {
  const digits = durationMs < 1000 ? 3 : 1;
  return `${Number((durationMs / 1000).toFixed(digits))} s`;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
