/** The policy for trying again as a test wants it. */
import { systemClock } from '../../src/effects/time.ts';
import { type Retries, RETRY_POLICY, type RetryOptions, startRetries } from '../../src/effects/retry.ts';

export interface TestRetries extends Retries {
  /** What was logged, in order. */
  readonly lines: readonly string[];
}

/** Pauses are as long as the policy lets them be, unless the test has a random source of its own. */
export function testRetries(changes: Partial<RetryOptions> = {}): TestRetries {
  const lines: string[] = [];
  const { signal } = new AbortController();
  const options = {
    timeoutMs: 5000,
    deadlineMs: RETRY_POLICY.deadlineMs,
    clock: systemClock,
    random: () => 1,
    log: { info: (line: string) => lines.push(line) },
    signal,
    ...changes,
  };
  return { ...startRetries(options), lines };
}
