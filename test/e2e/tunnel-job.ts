/** A job with tunnels, and what its later steps see of them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod/mini';
import type { Cluster } from '../cluster/cluster.ts';
import type { Gate } from '../cluster/proxy/gate.ts';
import { type ProgramRun, runProgram } from '../programs.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { exportedTo } from './exported.ts';
import { beginJob, type Job } from './job.ts';
import { missingPostgres, startPostgres } from './postgres.ts';
import type { BundleRun } from './run-bundle.ts';

export interface TunnelJob extends Job {
  /** Starts tunnels in the background. */
  readonly open: (more: readonly string[]) => Promise<BundleRun>;
  /** The arguments of `open`. */
  readonly openArgs: readonly string[];
  /** The ids of the processes with tunnels that run. */
  readonly processes: () => readonly number[];
}

/** The flags of a tunnel to the database of `clusterWithPostgres`. */
export const ORDERS = ['--database', 'orders', '--database-user', 'ci', '--database-name', 'orders'];

/** For all tests of a file. */
interface PostgresScene {
  readonly cluster: Cluster;
  /** In front of the cluster's Proxy. */
  readonly gate: Gate;
  /** Why the tests cannot run here. */
  readonly skip: string | false;
}

/** A cluster behind a gate, with PostgreSQL as its database. */
export async function clusterWithPostgres(): Promise<PostgresScene> {
  const cluster = await clusterForFile({ gate: true });
  const { gate } = cluster;
  assert.ok(gate !== undefined);
  const skip = process.platform === 'linux' ? ((await missingPostgres()) ?? false) : 'looks at Linux';
  if (skip === false) {
    const orders = cluster.resources.databases.find(({ name }) => name === 'orders');
    assert.ok(orders !== undefined);
    orders.port = await startPostgres({ after }, cluster);
  }
  return { cluster, gate, skip };
}

/** Its tunnels are ended with the test. */
export async function beginTunnelJob(t: TestContext, cluster: Cluster): Promise<TunnelJob> {
  // Before the folder of the job is removed.
  let end = (): Promise<unknown> => Promise.resolve();
  t.after(() => end());
  const job = await beginJob(t, cluster);
  const id = `tunnel-${job.folder.replaceAll(/\W/g, '-')}`;
  const inJob = (changes: Parameters<Job['run']>[1] = {}) => ({
    ...changes,
    environment: { CIRCLE_WORKFLOW_JOB_ID: id, ...changes.environment },
  });
  const run: Job['run'] = (args, changes) => job.run(args, inJob(changes));
  end = () => run(['cleanup']);
  const { joinToken, proxy } = cluster.info;
  const openArgs = ['tunnel', '--proxy-server', proxy, '--token', joinToken];
  return {
    ...job,
    run,
    start: (args, changes) => job.start(args, inJob(changes)),
    openArgs,
    open: (more) => run([...openArgs, ...more]),
    processes: () => processesOf(id),
  };
}

function processesOf(id: string): readonly number[] {
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const inJob = names.filter((name) => textOf(`/proc/${name}/environ`).includes(`CIRCLE_WORKFLOW_JOB_ID=${id}\0`));
  return inJob.filter((name) => textOf(`/proc/${name}/cmdline`).includes('--foreground')).map(Number);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

/** psql as a later step calls it. */
export async function psql(job: Job, sql: string): Promise<ProgramRun> {
  const environment = await exportedTo(job);
  const args = ['--no-psqlrc', '--tuples-only', '--no-align', '--command', sql];
  return runProgram('psql', args, { environment, timeoutMs: 50_000 });
}

const Status = z.object({
  processes: z.array(
    z.object({
      state: z.string(),
      processId: z.string(),
      log: z.string(),
      proxy: z.optional(z.object({ state: z.string(), sinceMs: z.number(), outages: z.number() })),
      tunnels: z.array(
        z.object({
          name: z.string(),
          state: z.string(),
          sinceMs: z.number(),
          problem: z.optional(z.string()),
          renewalProblem: z.optional(z.string()),
          expiresAtMs: z.optional(z.number()),
          connections: z.object({ open: z.number(), broken: z.number(), refused: z.number() }),
        }),
      ),
    }),
  ),
});

export type TunnelProcess = z.infer<typeof Status>['processes'][number];

/** What `tunnel status --json` says of the first process. */
export async function statusOf(
  job: Job,
): Promise<{ readonly exitCode: number | null; readonly process: TunnelProcess | undefined }> {
  const { exitCode, stdout } = await job.run(['tunnel', 'status', '--json']);
  const [process] = Status.parse(JSON.parse(stdout)).processes;
  return { exitCode, process };
}

type OpenProcess = TunnelProcess & { readonly proxy: NonNullable<TunnelProcess['proxy']> };

/** Waits until the status of the only tunnel is this. */
export async function until(job: TunnelJob, state: 'ready' | 'unavailable'): Promise<OpenProcess> {
  for (let tries = 0; tries < 60; tries += 1) {
    const { exitCode, process } = await statusOf(job);
    assert.ok(process?.proxy !== undefined);
    assert.equal(exitCode === 0, process.tunnels[0]?.state === 'ready');
    if (process.tunnels[0]?.state === state) return { ...process, proxy: process.proxy };
    await delay(500);
  }
  throw new Error(`the tunnel did not become ${state}`);
}
