/** The flags `--timeout` and `--deadline`, which several commands have. */
import { RETRY_POLICY } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import type { Flag, GivenFlags } from './command-line.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const LONGEST_S = 3600;

export const DEADLINE_FLAG: Flag = {
  name: 'deadline',
  value: 'SECONDS',
  help: `How long to try again in all what may pass (default ${RETRY_POLICY.deadlineMs / 1000}).`,
};

/** @throws MachineIdError USAGE_INVALID */
export function timeoutMs(given: GivenFlags): number {
  return secondsOf(given, 'timeout', DEFAULT_TIMEOUT_MS, 'for each answer');
}

/** @throws MachineIdError USAGE_INVALID */
export function deadlineMs(given: GivenFlags, defaultMs: number = RETRY_POLICY.deadlineMs): number {
  return secondsOf(given, 'deadline', defaultMs, 'in all');
}

function secondsOf(given: GivenFlags, name: string, defaultMs: number, forWhat: string): number {
  const text = given.get(name)?.[0];
  if (text === undefined) return defaultMs;
  const seconds = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= LONGEST_S) return seconds * 1000;
  throw new MachineIdError(
    'USAGE_INVALID',
    `--${name} must be a number of seconds between 0.001 and ${LONGEST_S}, got ${JSON.stringify(text)}`,
    { hint: `Leave it out for ${defaultMs / 1000} seconds ${forWhat}.` },
  );
}
