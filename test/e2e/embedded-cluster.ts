/** Gives a test file the embedded clusters that its bundle runs talk to. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { startCluster, type Cluster, type ClusterOptions } from '../cluster/cluster.ts';
import type { Faults, ReplyFault } from '../cluster/faults.ts';
import type { RequestKind } from '../cluster/records.ts';

/** Joins by the join service. */
export const NEWEST = '18.6.0';

export type ClusterWish = Omit<ClusterOptions, 'dir'>;

/** Whose end a cluster lives to see: a test, or all tests of a file. */
interface Owner {
  readonly after: (work: () => Promise<void>) => void;
}

export function clusterForFile(wish: ClusterWish = {}): Promise<Cluster> {
  return clusterFor({ after }, wish);
}

export async function clusterFor(owner: Owner, wish: ClusterWish): Promise<Cluster> {
  return clusterIn(await directoryFor(owner), owner, wish);
}

/** A directory for the authorities of several clusters, of which all but the first then start in no time. */
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

/** So many answers are spoilt from now on, and the later ones are not. */
export function misbehaveAtFirst(
  context: TestContext,
  cluster: Cluster,
  { kind, fault, times }: { readonly kind: RequestKind; readonly fault: ReplyFault; readonly times: number },
): void {
  const before = cluster.records.of(kind).length;
  const replies = {};
  const get = () => (cluster.records.of(kind).length - before <= times ? fault : undefined);
  Object.defineProperty(replies, kind, { get, enumerable: true });
  misbehave(context, cluster, { replies });
}
