/**
 * The property that every reader of untrusted bytes must have: for any input, it soon returns a value or throws one of
 * our errors.
 * `FUZZ_RUNS` multiplies the number of inputs, `FUZZ_SEED` selects others; a failure prints the seed and the smallest
 * input.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { MachineIdError } from '../../src/errors.ts';

/** Every run has the same inputs, so that a failure comes from the change and not from chance. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_123);
const FACTOR = Number(process.env.FUZZ_RUNS ?? 1);

/** At most 25 problems and 25 warnings are shown. */
const MOST_LINES = 60;

/** Far more than any input needs on a slow machine, and far less than a quadratic algorithm would take. */
export const LONGEST_MS = 5_000;

/** A message has only a few lines, whatever a server sent. */
const LONGEST_MESSAGE = 2_000;

export interface FuzzOptions {
  readonly runs?: number;
  /** For readers that always throw an error. */
  readonly mayRefuseAll?: boolean;
}

/** Registers the test. `read` can make further assertions about a value. */
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
    // Inputs that are all rejected at once would test nothing.
    assert.ok(mayRefuseAll || accepted >= numRuns / 200, `${accepted} of ${numRuns} inputs were read`);
  });
}

/**
 * Fails unless the work ends within a limit of CPU time, with a value or one of our errors. Wall time would depend on the
 * other processes of the machine.
 * @returns whether it returned a value
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

/** An error that a reader may throw: a planned one, whose text is safe to print. */
function assertOurs(error: unknown): void {
  if (!(error instanceof MachineIdError)) throw error;
  const { code, problems, hint, message } = error;
  assert.notEqual(code, 'INTERNAL');
  assert.notEqual(hint, '');
  for (const text of [hint, ...problems.map((fault) => fault.message), ...linesOf(error)]) {
    // eslint-disable-next-line no-control-regex -- what could rewrite a terminal or forge a line of the log
    assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
  }
  // Text that only its own author reads may quote what the author wrote.
  if (error.exitCode === 1) assert.ok(message.length <= LONGEST_MESSAGE, `a message of ${message.length} characters`);
}

/** Invalid input has one line per problem, every other error has one line. */
function linesOf({ exitCode, message }: MachineIdError): readonly string[] {
  if (exitCode === 1) return [message];
  const lines = message.split('\n');
  assert.ok(lines.length <= MOST_LINES, `a message of ${lines.length} lines`);
  return lines;
}
