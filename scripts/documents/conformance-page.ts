/** Renders docs/conformance/VERSION.md and its charts from docs/conformance/VERSION.json. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Measured, readResults, type Result, type Results } from '../conformance/results.ts';
import { commandOf, type Row, ROWS } from '../conformance/rows.ts';
import { packageVersion } from '../release/package-version.ts';
import { barChart } from './bar-chart.ts';
import { code, markdownTable } from './markdown.ts';

const NOT_RUN = 'not run yet';
const Reasons = z.record(z.string(), z.array(z.object({ reason: z.string(), cases: z.array(z.string()) })));

/** The page of the version in package.json, as text that Prettier still has to format, with its path. */
export async function conformancePage(): Promise<{ readonly path: string; readonly text: string }> {
  const version = await packageVersion();
  const results = await readResults(version);
  const expected = Reasons.parse(parse(await readFile('test/conformance/expected-failures.yaml', 'utf8')));
  const parts = [
    `# Conformance of version ${version}`,
    `What was run, on which machine, and what came of it. Nothing on this page is written by hand: \`npm run conformance\` runs the rows, and \`npm run generate\` renders the page from [the counts](${version}.json). The cluster is the [one in this repository](../../test/cluster/README.md), not a live one; the programs that use the credentials are real.`,
    '![Which checks passed](../images/conformance.svg)',
    '## Rows',
    markdownTable(
      ['Row', 'What it shows', 'Result', 'With', 'Run on', 'Repeat it'],
      ROWS.map((row) => rowCells(row, results.rows[row.id])),
    ),
    'A row keeps its result until it is run again, so each one has its date and commit. Tests are counted by Node’s test runner. A test is skipped if this machine lacks a program; CI has all of them.',
    ...failures(results),
    '## Expected failures',
    'The public suites of gRPC and protobuf also have cases that this client does not pass, each for a reason. A case that passes although it is listed fails the suite.',
    ...Object.entries(expected).map(([suite, reasons]) =>
      markdownTable(
        [`Reason (${suite})`, 'Cases'],
        reasons.map(({ cases, reason }) => [reason, cases.map(code).join(', ')]),
      ),
    ),
    ...figureParts(results),
    '## Machines',
    markdownTable(['Machine', 'Rows'], machines(results)),
  ];
  return { path: `docs/conformance/${version}.md`, text: parts.join('\n\n') };
}

/** The charts by path. */
export async function conformancePictures(): Promise<ReadonlyMap<string, string>> {
  const { rows } = await readResults(await packageVersion());
  const ratios = rows.ratios?.bench?.rows.filter(({ goal, unit }) => goal !== undefined && unit.startsWith('×')) ?? [];
  const trips = rows['round-trips']?.bench?.rows.filter(({ name }) => name.startsWith('run,')) ?? [];
  const checks = ROWS.filter(({ kind }) => kind !== 'bench').map((row) => ({
    label: row.id,
    value: passedOf(rows[row.id])?.passed ?? 0,
    text: resultText(rows[row.id]),
    isGood: rows[row.id] !== undefined && !hasFailed(rows[row.id]),
  }));
  return new Map([
    [
      'docs/images/conformance.svg',
      barChart({ title: 'Conformance: checks that passed', bars: checks, scale: 'roots' }),
    ],
    ...(ratios.length === 0 ? [] : [['docs/images/conformance-ratios.svg', ratioChart(ratios)] as const]),
    ...(trips.length === 0 ? [] : [['docs/images/conformance-round-trips.svg', tripChart(trips)] as const]),
  ]);
}

function ratioChart(ratios: readonly Measured[]): string {
  return barChart({
    title: 'Costs beside the least that is possible; the line is the goal',
    bars: ratios.map(({ figures, goal, name, unit }) => ({
      label: name,
      value: figures.median,
      text: `${number(figures.median)} ${unit}`,
      mark: goal?.limit,
      isGood: goal !== undefined && figures.median <= goal.limit,
    })),
    scale: 'linear',
  });
}

function tripChart(trips: readonly Measured[]): string {
  return barChart({
    title: 'Round trips of a run, one after another, by topology',
    bars: trips.map(({ figures, name, note = '' }) => ({
      label: name.replace('run, ', ''),
      value: figures.median,
      text: `${figures.median.toFixed(1)}, ${note}`,
      isGood: true,
    })),
    scale: 'linear',
  });
}

function rowCells(row: Row, result: Result | undefined): readonly string[] {
  const peers = Object.entries(result?.peers ?? {}).map(([name, version]) => `${name} ${version}`);
  const when = result === undefined ? '' : `${result.date}, ${code(result.commit)}`;
  return [row.id, row.shows, resultText(result), peers.join(', '), when, code(commandOf(row))];
}

function resultText(result: Result | undefined): string {
  if (result === undefined) return NOT_RUN;
  const suites = result.tests?.suites ?? [];
  if (suites.length > 0) {
    return suites
      .map(({ cases, passed }) => `${passed} of ${cases} cases, ${cases - passed} expected failures`)
      .join('; ');
  }
  if (result.tests !== undefined) {
    const { failures: failed, skipped, passed } = result.tests;
    return `${passed} of ${passed + failed.length} tests${skipped === 0 ? '' : `, ${skipped} skipped`}`;
  }
  if (result.chaos !== undefined) {
    const { cases, failed, reached } = result.chaos;
    return `${cases - failed} of ${cases} cases, the failure occurred in ${reached}`;
  }
  const goals = (result.bench?.rows ?? []).flatMap(({ goal }) => (goal === undefined ? [] : [goal]));
  const met = goals.filter(({ kind, limit, value }) => (kind === 'at most' ? value <= limit : value >= limit));
  return goals.length === 0 ? 'measured' : `${met.length} of ${goals.length} goals met`;
}

function passedOf(result: Result | undefined): { readonly passed: number } | undefined {
  if (result?.tests !== undefined) return result.tests.suites[0] ?? result.tests;
  return result?.chaos === undefined ? undefined : { passed: result.chaos.cases - result.chaos.failed };
}

function hasFailed(result: Result | undefined): boolean {
  return (result?.tests?.failures.length ?? 0) + (result?.chaos?.failed ?? 0) > 0;
}

/** Every failure that is not expected, by name. */
function failures({ rows }: Results): readonly string[] {
  const names = Object.entries(rows).flatMap(([id, { tests }]) =>
    (tests?.failures ?? []).map((name) => `- ${id}: ${name}`),
  );
  return names.length === 0 ? [] : ['These tests failed:', names.join('\n')];
}

function figureParts({ rows }: Results): readonly string[] {
  return ROWS.flatMap((row) => {
    const { bench, machine } = rows[row.id] ?? {};
    if (row.kind !== 'bench' || bench === undefined) return [];
    const runs = `${code(commandOf(row))}, ${bench.runs} runs${machine?.busy === true ? ', on a machine that was busy with other work: times, and ratios of them, are worse than on an idle one' : ''}.`;
    return [
      `## Figures: ${row.id}`,
      runs,
      ...(row.id === 'ratios' ? ['![Costs beside the floor](../images/conformance-ratios.svg)'] : []),
      ...(row.id === 'round-trips' ? ['![Round trips by topology](../images/conformance-round-trips.svg)'] : []),
      markdownTable(['What', 'Minimum', 'Median', 'Maximum', 'Unit', 'Goal'], bench.rows.map(figureCells)),
    ];
  });
}

function figureCells({ figures: { max, median, min }, goal, name, note = '', unit }: Measured): readonly string[] {
  const isMet = goal !== undefined && (goal.kind === 'at most' ? goal.value <= goal.limit : goal.value >= goal.limit);
  const remark =
    goal === undefined ? note : `${isMet ? 'met' : 'missed'}: ${goal.kind} ${number(goal.limit)} ${goal.unit}`;
  return [name, number(min), number(median), number(max), unit, remark];
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function machines({ rows }: Results): readonly (readonly string[])[] {
  const byMachine = new Map<string, string[]>();
  for (const [id, { machine }] of Object.entries(rows)) {
    const { busy, cores, cpu, memoryGb, node, os } = machine;
    const text = `${cores} cores (${cpu}), ${memoryGb} GB, ${os}, Node.js ${node}, ${busy ? 'busy' : 'otherwise idle'}`;
    byMachine.set(text, [...(byMachine.get(text) ?? []), id]);
  }
  return [...byMachine].map(([text, ids]) => [text, ids.join(', ')]);
}
