/** Repeats measurements, prints the results, and writes them as JSON. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

export interface Figures {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** A limit that the issue or the README promises, and what was measured against it. */
export interface Goal {
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
  readonly kind: 'at most' | 'at least';
}

/** One measured thing. */
export interface Row {
  readonly name: string;
  readonly figures: Figures;
  readonly unit: string;
  readonly goal?: Goal;
  readonly note?: string;
}

export const RUNS = Number(process.env.BENCH_RUNS ?? '25');

export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export async function repeat(measure: () => number | Promise<number>, runs = RUNS): Promise<Figures> {
  await measure(); // a first one warms the disk's cache
  const values: number[] = [];
  for (let run = 0; run < runs; run += 1) values.push(await measure());
  return figuresOf(values);
}

export interface Pair {
  readonly own: Figures;
  readonly other: Figures;
  /** Ratios of our figure to the other one, each from two adjacent measurements. */
  readonly share: Figures;
}

/** Alternates, so that other load on the machine affects both equally. */
export async function repeatInTurns(
  own: () => number | Promise<number>,
  other: () => number | Promise<number>,
  runs: number,
): Promise<Pair> {
  const pairs: { readonly own: number; readonly other: number }[] = [];
  await own();
  await other();
  for (let run = 0; run < runs; run += 1) pairs.push({ own: await own(), other: await other() });
  return {
    own: figuresOf(pairs.map((pair) => pair.own)),
    other: figuresOf(pairs.map((pair) => pair.other)),
    share: figuresOf(pairs.map((pair) => pair.own / pair.other)),
  };
}

export function figuresOf(values: readonly number[]): Figures {
  const sorted = [...values].sort((a, b) => a - b);
  return { min: sorted[0] ?? 0, median: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** Of a thing that is measured or computed once. */
export function one(value: number): Figures {
  return { min: value, median: value, max: value };
}

/** @param remark a goal, or a note */
export function row(name: string, figures: Figures, unit: string, remark?: Goal | string): Row {
  const measured = { name, figures, unit };
  if (remark === undefined) return measured;
  return typeof remark === 'string' ? { ...measured, note: remark } : { ...measured, goal: remark };
}

/** Compares a figure with its goal. */
export function against(value: number, limit: number, unit: string, atMost = true): Goal {
  return { value, limit, unit, kind: atMost ? 'at most' : 'at least' };
}

export function isMet({ kind, limit, value }: Goal): boolean {
  return kind === 'at most' ? value <= limit : value >= limit;
}

function remarkOf({ goal, note = '' }: Row): string {
  if (goal === undefined) return note;
  const { kind, limit, unit, value } = goal;
  return `${isMet(goal) ? 'goal met' : 'GOAL MISSED'}: ${short(value)} of ${kind} ${short(limit)} ${unit}`;
}

/** Ratios and small numbers need their decimals. */
function short(value: number): string {
  return String(Number(value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0)));
}

export function print(rows: readonly Row[]): void {
  const [cpu] = cpus();
  console.log(`${RUNS} runs each; ${cpu?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}\n`);
  const line = (name: string, cells: readonly string[], rest: string) => {
    console.log(`${name.padEnd(46)}${cells.map((cell) => cell.padStart(8)).join('')}  ${rest}`.trimEnd());
  };
  line('what', ['min', 'median', 'max'], 'unit');
  for (const measured of rows) {
    const { figures, name, unit } = measured;
    line(name, [figures.min, figures.median, figures.max].map(short), `${unit}  ${remarkOf(measured)}`);
  }
}

export function writeJson(file: string, rows: readonly Row[]): void {
  writeFileSync(file, `${JSON.stringify({ runs: RUNS, rows }, undefined, 2)}\n`);
}
