/** A storm of real runs: processes of the bundle, in waves that begin at once, against one embedded cluster with limits. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../test/cluster/cluster.ts';
import { BUNDLE } from './bundle.ts';
import { percentile } from './storm-simulation.ts';

/** As many as two cores start within a few seconds. */
const RUNS_AT_ONCE = 25;
/** Fewer than a wave needs at once, so that most runs are rejected at first. */
const RATE = { periodMs: 1000, average: 15, burst: 20 };
/** Every tenth wave begins at a cluster that answers nothing for so long. */
const SLOW_WAVE = 10;
const SLOW_START_MS = 3000;
const SAMPLE_MS = 100;

export interface RunsResult {
  readonly runs: number;
  /** Times to success. */
  readonly timesMs: readonly number[];
  /** What failed runs printed last. */
  readonly failures: readonly string[];
  readonly requests: number;
  readonly rejected: number;
  readonly peakPerSecond: number;
}

export async function stormOfRuns(folder: string, runs: number): Promise<RunsResult> {
  mkdirSync(folder, { recursive: true });
  const cluster = await startCluster({ dir: join(folder, 'cluster'), teleport: '18.6.0', limits: { rates: [RATE] } });
  const meter = startMeter(cluster);
  const timesMs: number[] = [];
  const failures: string[] = [];
  try {
    const token = await cluster.mint();
    for (let first = 0; first < runs; first += RUNS_AT_ONCE) {
      if ((first / RUNS_AT_ONCE) % SLOW_WAVE === 0) cluster.world.limiters?.beginSlowStart(SLOW_START_MS);
      const wave = Array.from({ length: Math.min(RUNS_AT_ONCE, runs - first) }, (_, at) =>
        realRun(cluster, token, join(folder, `run-${first + at}`)),
      );
      for (const { durationMs, failure } of await Promise.all(wave)) {
        if (failure === undefined) timesMs.push(durationMs);
        else failures.push(failure);
      }
    }
  } finally {
    meter.stop();
    await cluster.close();
  }
  return { runs, timesMs, failures, ...meter.result() };
}

interface RunEnd {
  readonly durationMs: number;
  readonly failure: string | undefined;
}

function realRun({ info }: Cluster, token: string, home: string): Promise<RunEnd> {
  mkdirSync(home);
  const cluster = ['--proxy-server', info.proxy, '--token', info.joinToken, '--ca-file', info.webCa];
  const args = [BUNDLE, 'run', ...cluster, '--destination', join(home, 'out'), '--no-export'];
  const start = performance.now();
  const env = { PATH: process.env.PATH, HOME: home, CIRCLE_OIDC_TOKEN: token };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      rmSync(home, { recursive: true, force: true });
      const failure = code === 0 ? undefined : (/^.*\b[A-Z]+_[A-Z_]+\b.*$/m.exec(stderr)?.[0] ?? stderr.slice(-200));
      resolve({ durationMs: performance.now() - start, failure });
    });
  });
}

/** Counts the requests that arrive, without the connections under them. */
function startMeter({ records }: Cluster) {
  const counts: number[] = [];
  let seen = 0;
  let requests = 0;
  let rejected = 0;
  const sample = () => {
    const arrived = records.all
      .slice(seen)
      .filter(({ kind, listener }) => kind !== 'connection' && listener !== 'issuer');
    seen = records.all.length;
    requests += arrived.length;
    counts.push(arrived.length);
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      sample();
      rejected = records.all.filter(({ outcome }) => outcome.startsWith('LimitExceeded')).length;
    },
    result: () => {
      const perSecond = 1000 / SAMPLE_MS;
      const sums = counts.map((_, at) => counts.slice(at, at + perSecond).reduce((sum, count) => sum + count, 0));
      return { requests, rejected, peakPerSecond: Math.max(0, ...sums) };
    },
  };
}

export const RUNS_NOTE = `waves of ${RUNS_AT_ONCE}, ${RATE.average} requests/s, every ${SLOW_WAVE}th silent for ${SLOW_START_MS / 1000} s`;

export function percentilesText(timesMs: readonly number[]): string {
  const seconds = (share: number) => ((percentile(timesMs, share) ?? 0) / 1000).toFixed(1);
  return `p50 ${seconds(0.5)} s, p95 ${seconds(0.95)} s, p99 ${seconds(0.99)} s`;
}
