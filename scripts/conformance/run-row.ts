/** Runs one row: its test files, its faults or its benchmark, each as a program that writes its counts as JSON. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { thisMachine, versionsOf } from './machine.ts';
import { BenchRows, ChaosCounts, type Result, TestCounts } from './results.ts';
import { chaosFlags, matches, type Row } from './rows.ts';

const FOLDER = 'build/conformance-page';
/** Longer than any row takes on two busy cores. */
const LONGEST_MS = 2 * 3_600_000;

export async function runRow(row: Row): Promise<Result> {
  mkdirSync(FOLDER, { recursive: true });
  const json = join(FOLDER, `${row.id}.json`);
  rmSync(json, { force: true });
  const [machine, peers] = [await thisMachine(), versionsOf(row.peers ?? [])];
  const startMs = performance.now();
  const measured = countsOf(row, json);
  return {
    date: new Date().toISOString().slice(0, 'YYYY-MM-DD'.length),
    commit: currentCommit(),
    machine,
    peers,
    seconds: Math.round((performance.now() - startMs) / 1000),
    ...measured,
  };
}

/** What the rows run, without the page. */
const SOURCES = ['bench', 'dist', 'scripts', 'src', 'test'];

function currentCommit(): string {
  const git = (...args: readonly string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', ...SOURCES) !== '';
  return `${git('rev-parse', '--short=10', 'HEAD')}${changed ? ' with changes' : ''}`;
}

function countsOf(row: Row, json: string): Pick<Result, 'tests' | 'chaos' | 'bench'> {
  switch (row.kind) {
    case 'tests':
      node(['scripts/test.mjs', ...testFilesOf(row.files)], { TEST_COUNTS: json, TEST_BUILD: join(FOLDER, 'tests') });
      return { tests: TestCounts.parse(parsed(json)) };
    case 'chaos': {
      node(['scripts/run.mjs', 'test/chaos/run.ts', ...chaosFlags(row), '--json', json]);
      return { chaos: ChaosCounts.parse(parsed(json)) };
    }
    case 'bench': {
      const name = row.bench === '' ? [] : [row.bench];
      node(['scripts/run.mjs', 'bench/run.ts', ...name, '--json', json]);
      return { bench: BenchRows.parse(parsed(json)) };
    }
    default:
      return row satisfies never;
  }
}

/** Failures are counted, and so the exit code does not matter: a program that has written no counts is an error. */
function node(args: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
  spawnSync(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...environment },
    timeout: LONGEST_MS,
  });
}

function parsed(json: string): unknown {
  return JSON.parse(readFileSync(json, 'utf8'));
}

/** @returns the test files that match, sorted */
export function testFilesOf(patterns: readonly string[]): readonly string[] {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .map((name) => join('test', name))
    .filter((path) => patterns.some((pattern) => matches(pattern, path)))
    .sort();
}
