/** Bounds each single wait of a work that is long altogether. */
import { MachineIdError, type Place } from '../errors.ts';
import { seconds } from './deadline.ts';

export interface SilenceLimit {
  /** Aborted when a wait was too long, when the outer signal is, or at the end. */
  readonly signal: AbortSignal;
  /** Waits for what heeds the signal; throws the signal's reason once that is aborted. */
  wait<T>(promise: Promise<T>): Promise<T>;
  /** Lets go of the outer signal and of whatever still heeds ours. */
  end(): void;
}

export interface SilenceLimitOptions {
  /** Who is waited for, as the subject of a sentence. */
  readonly waitingFor: string;
  readonly timeoutMs: number;
  /** What is connected to. */
  readonly unreached?: Place | undefined;
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
