/** Runs `doctor --egress` and reads its JSON output. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';
import { listing } from './folder-listing.ts';
import { freePort } from './free-port.ts';
import type { Job, RunChanges } from './job.ts';
import { errorReport } from './refusal.ts';

const Row = z.strictObject({
  id: z.string(),
  purpose: z.string().min(3),
  host: z.string().nullable(),
  port: z.int().nullable(),
  protocol: z.enum(['tls', 'ssh', 'postgres', 'mysql', 'tcp']).nullable(),
  sni: z.string().nullable(),
  alpn: z.array(z.string()),
  addresses: z.array(z.string()),
  route: z.string().nullable(),
  proxy: z.string().nullable(),
  upgrade: z.boolean(),
  need: z.enum(['always', 'either', 'sometimes']),
  neededFor: z.string().regex(/\.$/),
  when: z.string().regex(/\.$/),
  result: z.enum(['open', 'closed', 'dropped', 'other', 'unresolved', 'untried', 'none']),
  detail: z.string().regex(/^\S.*\.$/),
});

const Report = z.strictObject({
  title: z.literal('Network connections of a CircleCI job that joins Teleport'),
  version: z.string(),
  time: z.string().regex(/^\d{4}-\d{2}-\d{2}T[\d:]+Z$/),
  proxy: z.string().nullable(),
  auth: z.string().nullable(),
  cluster: z.strictObject({ name: z.string(), version: z.string(), tlsRouting: z.boolean().nullable() }).nullable(),
  topology: z.string().nullable(),
  notes: z.array(z.string()),
  missing: z.array(z.string()),
  connections: z.array(Row),
});

export type Row = z.infer<typeof Row>;

export interface Found extends z.infer<typeof Report> {
  readonly rows: ReadonlyMap<string, Row>;
}

/** Tests do not connect to the internet: downloads go to a port on which nothing listens. */
export const unused = await freePort();
export const NOWHERE = ['download-url', 'node-mirror', 'cdn-base-url'].flatMap((flag) => [
  `--${flag}`,
  `https://localhost:${unused}/x`,
]);

/** Changes nothing, and fails exactly if a required connection is not open. */
export async function examined(job: Job, args: readonly string[], changes?: RunChanges): Promise<Found> {
  const before = await listing(job.folder);
  const run = await job.run(['doctor', '--egress', '--json', ...NOWHERE, ...args], changes);
  assert.deepEqual(await listing(job.folder), before);
  const report = Report.parse(JSON.parse(run.stdout));
  assert.equal(run.exitCode, report.missing.length === 0 ? 0 : 1, run.stderr);
  if (report.missing.length > 0) assert.equal(errorReport(run).code, 'DOCTOR_FAILED');
  return { ...report, rows: new Map(report.connections.map((row) => [row.id, row])) };
}

/** @param address of the Proxy, or of its replacement */
export function flagsOf({ info }: Cluster, job: Job, address = info.proxy): readonly string[] {
  return ['--proxy-server', address, '--token', info.joinToken, '--destination', job.destination];
}

export function results({ rows }: Found, ...ids: readonly string[]): readonly (string | undefined)[] {
  return ids.map((id) => rows.get(id)?.result);
}

/** What every run and a step with ssh need, without the fallback. */
export const OF_RUN = ['web-api', 'join-service', 'registration', 'auth', 'ssh-transport'];
