/** Nodes of the embedded cluster, each with a real sshd, and the ssh options to reach them. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { selects } from '../cluster/data/labels.ts';
import type { Node } from '../cluster/data/nodes.ts';
import type { Job } from './job.ts';
import { startSshd, type Admission } from './sshd.ts';

/** Brings the node online for the test. */
export async function startNode(
  t: TestContext,
  cluster: Cluster,
  job: Job,
  { name, ofCluster = cluster.info.cluster }: { readonly name: string; readonly ofCluster?: string },
): Promise<void> {
  const folder = join(job.folder, name);
  await mkdir(folder);
  const node = cluster.nodes.find((one) => one.name === name);
  assert.ok(node);
  const { port } = await startSshd(t, cluster, folder, {
    hostName: `${name}.${ofCluster}`,
    hostCluster: ofCluster,
    admits: admissionsOf(cluster, node),
  });
  node.port = port;
  t.after(() => {
    delete node.port;
  });
}

/** What a node with a Teleport agent checks in a certificate: one of its roles must have the login and select the node. */
function admissionsOf(cluster: Cluster, { labels }: Node): readonly Admission[] {
  return cluster.resources.roles
    .filter(({ reaches }) => selects(reaches.node ?? {}, labels))
    .flatMap(({ logins, name }) => logins.map((login) => ({ role: name, login })));
}

/** The options of a user who trusts only our files. */
export function sshOptions({ destination }: Job): string[] {
  return ['-F', join(destination, 'ssh_config'), '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'];
}
