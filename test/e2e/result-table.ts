/** A table of a matrix and its results, which the test prints as diagnostics. */
import type { TestContext } from 'node:test';

/** The first row has the titles. The block appears in the output of `npm test` where the file's tests end. */
export function printTable(t: TestContext, title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_title, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '));
  for (const line of [title, ...lines]) t.diagnostic(line.trimEnd());
}
