/** Repeats measurements and prints the results. */
import { cpus } from 'node:os';

export interface Figures {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Name, minimum, median, maximum, unit and remark. */
export type Row = readonly string[];

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

function figuresOf(values: readonly number[]): Figures {
  const sorted = [...values].sort((a, b) => a - b);
  return { min: sorted[0] ?? 0, median: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 };
}

export function row(name: string, { max, median, min }: Figures, unit: string, remark = ''): Row {
  return [name, min.toFixed(0), median.toFixed(0), max.toFixed(0), unit, remark];
}

/** A remark that compares a figure with its goal. */
export function against(value: number, goal: number, unit: string, atMost = true): string {
  const met = atMost ? value <= goal : value >= goal;
  return `${met ? 'goal met' : 'GOAL MISSED'}: ${value.toFixed(1)} of ${atMost ? 'at most' : 'at least'} ${goal.toFixed(0)} ${unit}`;
}

export function print(rows: readonly Row[]): void {
  const [cpu] = cpus();
  console.log(`${RUNS} runs each; ${cpu?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}\n`);
  for (const [name = '', ...cells] of [['what', 'min', 'median', 'max', 'unit', ''], ...rows]) {
    console.log(`${name.padEnd(46)}${cells.map((cell, at) => (at < 3 ? cell.padStart(8) : `  ${cell}`)).join('')}`);
  }
}
