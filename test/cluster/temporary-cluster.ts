/** A cluster for the tests of one file, or for one test. */
import { startCluster, type Cluster, type ClusterOptions } from './cluster.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Runs the check with a temporary cluster, which is removed afterwards. */
export async function withCluster(
  options: Omit<ClusterOptions, 'dir'>,
  check: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const directory = temporaryDirectory();
  const cluster = await startCluster({ dir: directory.path, ...options });
  try {
    await check(cluster);
  } finally {
    await cluster.close();
    directory.remove();
  }
}
