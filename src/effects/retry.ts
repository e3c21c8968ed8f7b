/** Another try after a failure that may pass, by a written list of pauses. */
import type { Clock } from './clock.ts';

export interface RetryOptions {
  /** One pause before each further try; its length is the number of further tries. */
  readonly delaysMs: readonly number[];
  readonly worthAnotherTry: (error: unknown) => boolean;
  readonly onRetry: (error: unknown, delayMs: number) => void;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** Throws the last failure when the list of pauses is used up, or the first that is not worth another try. */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (const delayMs of options.delaysMs) {
    try {
      return await attempt();
    } catch (error) {
      if (!options.worthAnotherTry(error)) throw error;
      options.onRetry(error, delayMs);
      await options.clock.sleep(delayMs, options.signal);
    }
  }
  return attempt();
}
