/** Simulates a storm of jobs, and describes how it went. */
import { randomBy } from '../test/chaos/random.ts';
import { StormClock } from './storm-clock.ts';
import { type ClusterModel, INTERVAL_MS, StormCluster } from './storm-cluster.ts';
import { DEADLINE_MS, simulateJob } from './storm-job.ts';

export interface Storm extends Partial<ClusterModel> {
  readonly name: string;
  readonly jobs: number;
  /** Addresses that the jobs come from; jobs behind one NAT gateway have one. */
  readonly addresses: number;
  /** The jobs begin at random moments of it. */
  readonly withinMs: number;
  readonly deadlineMs?: number;
  /** Pauses as long as the policy allows them to be, instead of random ones. */
  readonly withoutJitter?: boolean;
}

export interface StormResult {
  readonly succeeded: number;
  readonly failures: ReadonlyMap<string, number>;
  /** Time to success; undefined if none succeeded. */
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Connections to the Proxy, in all and in each interval. */
  readonly connections: number;
  readonly load: readonly number[];
  readonly rejected: number;
  /** The most connections in a second, after the jobs have begun. */
  readonly peakPerSecond: number;
  /** How many times as many connections the busiest interval has as those around it, after the jobs have begun. */
  readonly wave: number;
}

const MODEL: ClusterModel = {
  joinService: true,
  limits: {},
  connectionsPerSecond: 2000,
  joinsPerSecond: 500,
  silentMs: 0,
  downMs: 0,
};

/** The same seed gives the same result. */
export async function simulateStorm(storm: Storm, seed: number): Promise<StormResult> {
  // Nobody reads where the errors of simulated jobs come from, and that takes most of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const clock = new StormClock();
  const cluster = new StormCluster(clock, { ...MODEL, ...storm });
  const random = randomBy(seed);
  const ends = Array.from({ length: storm.jobs }, async (_, at) => {
    await clock.sleep(random() * storm.withinMs);
    return simulateJob({
      clock,
      cluster,
      address: String(at % storm.addresses),
      deadlineMs: storm.deadlineMs ?? DEADLINE_MS,
      random: storm.withoutJitter === true ? () => 1 : random,
    });
  });
  await clock.run();
  const done = await Promise.all(ends);
  Error.stackTraceLimit = stackTraceLimit;
  const times = done.flatMap(({ code, durationMs }) => (code === undefined ? [durationMs] : []));
  const failures = new Map<string, number>();
  for (const { code } of done) if (code !== undefined) failures.set(code, (failures.get(code) ?? 0) + 1);
  const load = Array.from(cluster.connections, (count: number | undefined) => count ?? 0);
  const first = Math.ceil(storm.withinMs / INTERVAL_MS) + 1;
  return {
    succeeded: times.length,
    failures,
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95),
    p99Ms: percentile(times, 0.99),
    connections: load.reduce((sum, count) => sum + count, 0),
    load,
    rejected: cluster.rejected,
    peakPerSecond: peakOf(load.slice(first)),
    wave: waveOf(load, first),
  };
}

export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

const PER_SECOND = 1000 / INTERVAL_MS;
/** How far around an interval, in intervals, its load is compared. */
const AROUND = 10;
/** Below it, chance alone makes an interval three times as busy as those around it. */
const LEAST_MEAN = 10;

function peakOf(load: readonly number[]): number {
  return Math.max(0, ...load.map((_, at) => sumOf(load.slice(at, at + PER_SECOND))));
}

/** @param first the first interval that counts: the beginning of the storm is a wave that no client can prevent */
export function waveOf(load: readonly number[], first: number): number {
  const ratios = load.map((count, at) => {
    const around = load.slice(Math.max(first, at - AROUND), at + AROUND + 1);
    const mean = sumOf(around) / around.length;
    return at < first || mean < LEAST_MEAN ? 0 : count / mean;
  });
  return Math.max(0, ...ratios);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
