/** One hour of `run --refresh` on a clock that skips the waits: the renewals are real, and the memory must stay flat. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beginKeeping, renew } from '../src/commands/keeper.ts';
import { keepRenewed } from '../src/job/renewal.ts';
import { readRunArguments } from '../src/commands/run-flags.ts';
import { systemWorld } from '../test/job/system-world.ts';
import { joinArguments } from './bundle.ts';
import { type BenchCluster, startCluster } from './cluster.ts';
import { one, type Row, row } from './figures.ts';

const HOUR_MS = 3_600_000;
/** Renewed every 40 seconds: as many renewals in an hour as a job of 60 hours has with certificates for an hour. */
const LIFETIME = '1m';
/** Until then, Node loads and compiles what a renewal needs. */
const WARM_UP = 20;

interface Sample {
  readonly heapMb: number;
  readonly residentMb: number;
  readonly handles: number;
}

export async function measureRefresh(folder: string): Promise<Row[]> {
  const cluster = await startCluster(folder, '18.6.0');
  try {
    const samples = await hourOf(cluster, folder);
    const [first, last] = [samples[WARM_UP], samples.at(-1)];
    if (first === undefined || last === undefined) throw new Error(`only ${samples.length} renewals in an hour`);
    const growthKb = ((last.heapMb - first.heapMb) * 1024) / (samples.length - WARM_UP);
    const residentMb = Math.max(...samples.map((sample) => sample.residentMb));
    return [
      row('refresh, renewals in an hour', one(samples.length), ''),
      row(`… heap after ${WARM_UP} of them`, one(first.heapMb), 'MB'),
      row('… heap after the last', one(last.heapMb), 'MB'),
      row('… growth of the heap for each', one(growthKb), 'KB'),
      row('… open handles, first', one(first.handles), ''),
      row('… open handles, last', one(last.handles), ''),
      row('… resident memory, at most', one(residentMb), 'MB'),
    ];
  } finally {
    cluster.stop();
  }
}

/** The memory after each renewal. */
async function hourOf(cluster: BenchCluster, folder: string): Promise<readonly Sample[]> {
  const collect = garbageCollection();
  const keeping = await beginKeeping(readRunArguments(flags(cluster, folder)), await worldOf(cluster, folder));
  const samples: Sample[] = [];
  const ended = new Error('the hour is over');
  let nowMs = 0;
  const clock = {
    nowMs: () => nowMs,
    sleep: (durationMs: number) => {
      nowMs += durationMs;
      return nowMs < HOUR_MS ? Promise.resolve() : Promise.reject(ended);
    },
  };
  const renewal = keepRenewed({
    clock,
    signal: new AbortController().signal,
    expiresAtMs: 0,
    renew: async () => nowMs + ((await renew(keeping)) - Date.now()),
    events: {
      renewed: () => {
        collect();
        samples.push(sample());
        return Promise.resolve();
      },
      failed: (error) => Promise.reject(error),
    },
  });
  await renewal.catch((error: unknown) => {
    if (error !== ended) throw error;
  });
  return samples;
}

function flags(cluster: BenchCluster, folder: string): readonly string[] {
  const [, ...joining] = joinArguments(cluster);
  return [...joining, '--destination', join(folder, 'out'), '--credential-ttl', LIFETIME];
}

/** Its agent prints the same token each time. */
async function worldOf({ token }: BenchCluster, folder: string) {
  const programs = join(folder, 'bin');
  await mkdir(programs, { recursive: true });
  await writeFile(join(programs, 'circleci-agent'), `#!/bin/sh\necho ${token}\n`, { mode: 0o755 });
  // The agent is found on the PATH of this process.
  process.env.PATH = `${programs}:${process.env.PATH ?? ''}`;
  return systemWorld({
    environment: { HOME: folder, TMPDIR: folder, CIRCLE_OIDC_TOKEN: token },
    stderr: () => undefined,
  });
}

function garbageCollection(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (!isFunction(collect)) throw new Error('this Node has no gc()');
  return collect;
}

function isFunction(value: unknown): value is () => void {
  return typeof value === 'function';
}

function sample(): Sample {
  const { heapUsed, rss } = process.memoryUsage();
  const [heapMb = 0, residentMb = 0] = [heapUsed, rss].map((bytes) => bytes / 1024 / 1024);
  return { heapMb, residentMb, handles: process.getActiveResourcesInfo().length };
}
