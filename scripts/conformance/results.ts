/** What the rows of the conformance page have measured: docs/conformance/VERSION.json. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { ROWS } from './rows.ts';

/** A suite fails if a case fails that is not expected to: those that did not pass are the expected failures. */
const Suite = z.strictObject({ suite: z.string(), cases: z.number(), passed: z.number() });

export const TestCounts = z.strictObject({
  passed: z.number(),
  skipped: z.number(),
  /** Names of tests. */
  failures: z.array(z.string()),
  suites: z.array(Suite),
});

/** As `npm run chaos` writes them, beside its table. */
export const ChaosCounts = z.object({ cases: z.number(), reached: z.number(), failed: z.number() });

const Figures = z.strictObject({ min: z.number(), median: z.number(), max: z.number() });
const Goal = z.strictObject({
  value: z.number(),
  limit: z.number(),
  unit: z.string(),
  kind: z.enum(['at most', 'at least']),
});
export const BenchRows = z.strictObject({
  runs: z.number(),
  rows: z.array(
    z.strictObject({
      name: z.string(),
      figures: Figures,
      unit: z.string(),
      goal: Goal.optional(),
      note: z.string().optional(),
    }),
  ),
});
export type Measured = z.infer<typeof BenchRows>['rows'][number];

const Machine = z.strictObject({
  cpu: z.string(),
  cores: z.number(),
  memoryGb: z.number(),
  os: z.string(),
  node: z.string(),
  /** Whether other programs used more than a tenth of the processors when the row began. */
  busy: z.boolean(),
});
export type Machine = z.infer<typeof Machine>;

const Result = z.strictObject({
  date: z.iso.date(),
  /** The last commit when the row ran, and whether sources differed from it. */
  commit: z.string(),
  machine: Machine,
  /** Versions by name. */
  peers: z.record(z.string(), z.string()),
  seconds: z.number(),
  tests: TestCounts.optional(),
  chaos: ChaosCounts.optional(),
  bench: BenchRows.optional(),
});
export type Result = z.infer<typeof Result>;

const Results = z.strictObject({ version: z.string(), rows: z.record(z.string(), Result) });
export type Results = z.infer<typeof Results>;

export function resultsPath(version: string): string {
  return `docs/conformance/${version}.json`;
}

/** Without rows if nothing has been measured for that version yet. */
export async function readResults(version: string): Promise<Results> {
  const path = resultsPath(version);
  if (!existsSync(path)) return { version, rows: {} };
  return Results.parse(JSON.parse(await readFile(path, 'utf8')));
}

/** In the order of the rows, which are all that is kept. */
export async function writeResults(results: Results): Promise<void> {
  const path = resultsPath(results.version);
  const rows = Object.fromEntries(
    ROWS.flatMap(({ id }) => {
      const result = results.rows[id];
      return result === undefined ? [] : [[id, result] as const];
    }),
  );
  const style = await resolveConfig(path);
  const text = JSON.stringify({ ...results, rows }, rounded, 2);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await format(text, { ...style, parser: 'json' }));
}

/** Further digits are noise. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
