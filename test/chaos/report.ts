/** What the cases covered, as a table and as data. */
import { caseText, type Case, FRONTS, PHASES, VERSIONS } from './plan.ts';
import { FAULTS } from './fault.ts';

export interface Result {
  readonly case: Case;
  readonly outcome: string;
  readonly isReached: boolean;
  readonly broken: readonly string[];
  readonly durationMs: number;
}

export interface Totals {
  readonly seed: number;
  readonly cases: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

interface Count {
  readonly cases: number;
  readonly reached: number;
  readonly failed: number;
}

export interface Coverage extends Totals {
  readonly reached: number;
  readonly failed: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly fronts: Readonly<Record<string, Count>>;
  readonly versions: Readonly<Record<string, Count>>;
  /** By phase, then by fault. */
  readonly phases: Readonly<Record<string, Readonly<Record<string, Count>>>>;
  readonly failures: readonly { readonly case: string; readonly broken: readonly string[] }[];
}

export function coverageOf(results: readonly Result[], totals: Totals): Coverage {
  const among = (belongs: (one: Case) => boolean) => count(results.filter((result) => belongs(result.case)));
  return {
    ...totals,
    ...count(results),
    outcomes: tally(results.map(({ outcome }) => outcome)),
    fronts: Object.fromEntries(FRONTS.map((front) => [front, among((one) => one.front === front)])),
    versions: Object.fromEntries(VERSIONS.map((version) => [version, among((one) => one.version === version)])),
    phases: Object.fromEntries(
      PHASES.map((phase) => [
        phase,
        Object.fromEntries(FAULTS.map((fault) => [fault, among((one) => one.phase === phase && one.fault === fault)])),
      ]),
    ),
    failures: results
      .filter(({ broken }) => broken.length > 0)
      .map((result) => ({ case: caseText(result.case), broken: result.broken })),
  };
}

function count(results: readonly Result[]): Count {
  return {
    cases: results.length,
    reached: results.filter(({ isReached }) => isReached).length,
    failed: results.filter(({ broken }) => broken.length > 0).length,
  };
}

function tally(words: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, one], [, other]) => other - one));
}

/** Cells: cases in which the fault came to pass, of all cases. */
export function coverageText(coverage: Coverage): string {
  const { cases, cpuMs, failed, fronts, outcomes, phases, reached, seed, versions, wallMs } = coverage;
  const width = Math.max(...PHASES.map(({ length }) => length)) + 2;
  const row = (name: string, cells: readonly string[]) =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(CELL)).join('')}`;
  const lines = PHASES.map((phase) =>
    row(
      phase,
      FAULTS.map((fault) => cell(phases[phase]?.[fault])),
    ),
  );
  const list = (counts: Readonly<Record<string, Count>>) =>
    Object.entries(counts)
      .map(([name, one]) => `${name} ${cell(one)}`)
      .join(', ');
  return [
    row(
      '',
      FAULTS.map((fault) => fault),
    ),
    ...lines,
    `fronts: ${list(fronts)}`,
    `versions: ${list(versions)}`,
    `outcomes: ${Object.entries(outcomes)
      .map(([name, times]) => `${name} ${times}`)
      .join(', ')}`,
    `seed ${seed}: ${cases} cases, the fault came to pass in ${reached}, ${failed} broke the promise; ` +
      `${Math.round(wallMs / 1000)} s, ${Math.round(cpuMs / 1000)} s of processor time`,
  ].join('\n');
}

const CELL = 11;

function cell(one: Count | undefined): string {
  if (one === undefined || one.cases === 0) return '-';
  return `${one.reached}/${one.cases}${one.failed > 0 ? ' !' : ''}`;
}
