/** Provides the embedded clusters for the bundle runs of a test file. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { startCluster, type Cluster, type ClusterOptions } from '../cluster/cluster.ts';
import type { Faults, ReplyFault } from '../cluster/faults.ts';
import type { RequestKind } from '../cluster/records.ts';

/** Joins with the join service. */
export const NEWEST = '18.6.0';

export type ClusterWish = Omit<ClusterOptions, 'dir'>;

/** The scope that a cluster lives as long as: a test, or all tests of a file. */
interface Owner {
  readonly after: (work: () => Promise<void>) => void;
}

export function clusterForFile(wish: ClusterWish = {}): Promise<Cluster> {
  return clusterFor({ after }, wish);
}

export async function clusterFor(owner: Owner, wish: ClusterWish): Promise<Cluster> {
  return clusterIn(await directoryFor(owner), owner, wish);
}

/** A directory for the authorities of several clusters, so that all but the first start quickly. */
export async function directoryFor(owner: Owner): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'e2e-cluster-'));
  owner.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export async function clusterIn(dir: string, owner: Owner, wish: ClusterWish): Promise<Cluster> {
  const cluster = await startCluster({ teleport: NEWEST, ...wish, dir });
  owner.after(() => cluster.close());
  return cluster;
}

/** The cluster misbehaves until the test is over. */
export function misbehave(context: TestContext, { faults }: Cluster, wanted: Partial<Faults>): void {
  Object.assign(faults, wanted);
  context.after(() => {
    for (const name of Object.keys(faults)) Reflect.deleteProperty(faults, name);
    faults.replies = {};
  });
}

/** Spoils the given number of responses from now on, and no later ones. */
export function misbehaveAtFirst(
  context: TestContext,
  cluster: Cluster,
  ...faults: readonly { readonly kind: RequestKind; readonly fault: ReplyFault; readonly times: number }[]
): void {
  const replies = {};
  for (const { fault, kind, times } of faults) {
    const before = cluster.records.of(kind).length;
    const get = () => (cluster.records.of(kind).length - before <= times ? fault : undefined);
    Object.defineProperty(replies, kind, { get, enumerable: true });
  }
  misbehave(context, cluster, { replies });
}
