/** The flag `--timeout`, which several commands have. */
import { MachineIdError } from '../errors.ts';
import type { GivenFlags } from './command-line.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const LONGEST_TIMEOUT_S = 3600;

/** @throws MachineIdError USAGE_INVALID */
export function timeoutMs(given: GivenFlags): number {
  const text = given.get('timeout')?.[0];
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  const seconds = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= LONGEST_TIMEOUT_S) return seconds * 1000;
  throw new MachineIdError(
    'USAGE_INVALID',
    `--timeout ${JSON.stringify(text)} is no number of seconds from 0.001 to ${LONGEST_TIMEOUT_S}`,
    {
      hint: 'Leave it out for 30 seconds an answer.',
    },
  );
}
