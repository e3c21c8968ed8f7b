/**
 * Thousands of jobs that begin at once: 1,000 real runs (storm-runs.ts), and 10,000 simulated ones on a clock that skips the
 * waits (storm-simulation.ts), whose pauses are those of src/effects/retry.ts itself.
 */
import { figuresOf, one, type Row, row } from './figures.ts';
import { percentilesText, RUNS_NOTE, stormOfRuns } from './storm-runs.ts';
import { simulateStorm, type Storm } from './storm-simulation.ts';

const REAL_RUNS = Number(process.env.STORM_RUNS ?? '1000');
const JOBS = Number(process.env.STORM_JOBS ?? '10000');
const SEED = 1;
/** Of the load over time. */
const STEP_INTERVALS = 50;

const ONE_ADDRESS = { jobs: JOBS, addresses: 1, withinMs: 1000 };
const RATES = { rates: [{ periodMs: 1000, average: 1000, burst: 2000 }] };
const STORMS: readonly Storm[] = [
  { ...ONE_ADDRESS, name: 'Teleport 18, default limits' },
  { ...ONE_ADDRESS, name: 'Teleport 18, 1,000 requests/s', limits: RATES },
  { ...ONE_ADDRESS, name: 'Teleport 18, 1,000 requests/s', limits: RATES, withoutJitter: true },
  { ...ONE_ADDRESS, name: 'Teleport 18, down for 15 s', downMs: 15_000 },
  { ...ONE_ADDRESS, name: 'Teleport 18, down for 15 s', downMs: 15_000, withoutJitter: true },
  { ...ONE_ADDRESS, name: 'Teleport 18, down for 2 min', downMs: 120_000 },
  { ...ONE_ADDRESS, name: 'Teleport 18, down for 2 min', downMs: 120_000, withoutJitter: true },
  { ...ONE_ADDRESS, name: 'Teleport 18, silent for 10 s', silentMs: 10_000 },
  { ...ONE_ADDRESS, name: 'Teleport 17, 1 address', joinService: false },
  { ...ONE_ADDRESS, name: 'Teleport 17, 10 addresses', joinService: false, addresses: 10 },
  { ...ONE_ADDRESS, name: 'Teleport 17, 100 addresses', joinService: false, addresses: 100 },
];

export async function measureStorm(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const storm of STORMS) rows.push(...(await simulated(storm)));
  if (REAL_RUNS > 0) rows.push(...(await real(folder)));
  return rows;
}

async function simulated(storm: Storm): Promise<readonly Row[]> {
  const result = await simulateStorm(storm, SEED);
  const { connections, failures, load, p50Ms, p95Ms, p99Ms, peakPerSecond, rejected, succeeded, wave } = result;
  const failed = [...failures].map(([code, count]) => `, ${code} ${count}`).join('');
  const steps = Array.from({ length: Math.ceil(load.length / STEP_INTERVALS) }, (_, at) =>
    Math.round(sum(load.slice(at * STEP_INTERVALS, (at + 1) * STEP_INTERVALS)) / 5),
  );
  const name = `${storm.name}${storm.withoutJitter === true ? ', no jitter' : ''}`;
  const share = `${((100 * succeeded) / storm.jobs).toFixed(1)} % of ${storm.jobs} jobs${failed}`;
  return [
    p50Ms === undefined || p95Ms === undefined || p99Ms === undefined
      ? row(`${name}: succeeded`, one(succeeded), 'jobs', share)
      : row(`${name}: p50, p95, p99`, { min: p50Ms / 1000, median: p95Ms / 1000, max: p99Ms / 1000 }, 's', share),
    row(
      '  connections: mean, peak',
      { min: (10 * connections) / load.length, median: peakPerSecond, max: peakPerSecond },
      '/s',
    ),
    row(
      '  busiest interval, of those around it',
      one(wave),
      'times',
      `${rejected} rejected; /s, each 5 s: ${steps.join(' ')}`,
    ),
  ];
}

async function real(folder: string): Promise<readonly Row[]> {
  const { failures, peakPerSecond, rejected, requests, runs, timesMs } = await stormOfRuns(folder, REAL_RUNS);
  const share = `${((100 * timesMs.length) / runs).toFixed(1)} % of ${runs} runs, ${RUNS_NOTE}; ${percentilesText(timesMs)}`;
  return [
    row('real runs: time to success', figuresOf(timesMs.map((ms) => ms / 1000)), 's', share),
    row('  requests to Proxy and Auth', one(requests), '', `${rejected} rejected; peak ${peakPerSecond}/s`),
    ...failures.map((failure) => row('  failed', one(1), '', failure)),
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
