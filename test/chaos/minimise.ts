/** Makes a failing case simpler while it still fails. */
import { type Case, isPossible } from './plan.ts';

const MOST_TRIES = 24;

/** @param fails whether the case breaks the promise */
export async function minimise(start: Case, fails: (one: Case) => Promise<boolean>): Promise<Case> {
  let smallest = start;
  let tries = 0;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const candidate of simpler(smallest)) {
      if (tries === MOST_TRIES) return smallest;
      tries += 1;
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Each differs from the case in one thing; the largest simplifications first. */
function simpler(one: Case): readonly Case[] {
  const changes: readonly Partial<Case>[] = [
    { process: 'no' },
    { front: 'plain' },
    { version: '18.6.0' },
    { phase: 'identity' },
    { old: 'no' },
    { times: 'once' },
    { way: 'down' },
    { after: 0 },
    { after: Math.floor(one.after / 2) },
    { after: Math.max(0, one.after - 1) },
    { seed: 1 },
  ];
  return changes
    .map((change) => ({ ...one, ...change }))
    .filter((other) => isPossible(other.phase, other) && JSON.stringify(other) !== JSON.stringify(one));
}
