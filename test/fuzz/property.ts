/**
 * The one property of every reader of foreign bytes: a value or an error of our own, soon, whatever the input.
 * `FUZZ_RUNS` multiplies the number of inputs, `FUZZ_SEED` chooses others; a failure prints seed and smallest input.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { MachineIdError } from '../../src/errors.ts';

/** The same inputs on every run, so that a change is judged by itself and not by its luck. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_123);
const FACTOR = Number(process.env.FUZZ_RUNS ?? 1);

/** Of faults and of warnings, 25 are shown each. */
const MOST_LINES = 60;

/** Far more than any input needs on a slow machine, and far less than what grows with the square of the input. */
export const LONGEST_MS = 5_000;

/** A message is a few lines, whatever a server put into its answer. */
const LONGEST_MESSAGE = 2_000;

export interface FuzzOptions {
  readonly runs?: number;
  /** For what always ends with an error. */
  readonly mayRefuseAll?: boolean;
}

/** Registers the test; `read` may check more of a value than that there is one. */
export function fuzz<T>(
  name: string,
  input: fc.Arbitrary<T>,
  read: (input: T) => unknown,
  { runs = 300, mayRefuseAll = false }: FuzzOptions = {},
): void {
  test(name, async () => {
    let accepted = 0;
    const property = fc.asyncProperty(input, async (value) => {
      if (await settles(() => read(value))) accepted += 1;
    });
    const numRuns = Math.max(1, Math.round(runs * FACTOR));
    await fc.assert(property, { seed: SEED, numRuns });
    // Inputs that are all refused at the door would prove nothing.
    assert.ok(mayRefuseAll || accepted >= numRuns / 200, `${accepted} of ${numRuns} inputs were read`);
  });
}

/**
 * Fails unless the work ends within the time of a processor, with a value or with an error of our own. The time that passes
 * says more about the other processes of the machine.
 * @returns whether with a value
 */
export async function settles(work: () => unknown): Promise<boolean> {
  const start = process.cpuUsage();
  let isRead = true;
  try {
    await work();
  } catch (error) {
    assertOurs(error);
    isRead = false;
  }
  const { system, user } = process.cpuUsage(start);
  const tookMs = (system + user) / 1000;
  assert.ok(tookMs < LONGEST_MS, `it took ${Math.round(tookMs)} ms`);
  return isRead;
}

/** An error that a reader may throw: planned for, and fit to be printed. */
function assertOurs(error: unknown): void {
  if (!(error instanceof MachineIdError)) throw error;
  const { code, problems, hint, message } = error;
  assert.notEqual(code, 'INTERNAL');
  assert.notEqual(hint, '');
  for (const text of [hint, ...problems.map((fault) => fault.message), ...linesOf(error)]) {
    // eslint-disable-next-line no-control-regex -- what could rewrite a terminal or forge a line of the log
    assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
  }
  // What its own writer gets to read quotes what he wrote.
  if (error.exitCode === 1) assert.ok(message.length <= LONGEST_MESSAGE, `a message of ${message.length} characters`);
}

/** Invalid input has one line for each problem, every other error one line. */
function linesOf({ exitCode, message }: MachineIdError): readonly string[] {
  if (exitCode === 1) return [message];
  const lines = message.split('\n');
  assert.ok(lines.length <= MOST_LINES, `a message of ${lines.length} lines`);
  return lines;
}
