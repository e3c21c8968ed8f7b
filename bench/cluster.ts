/** The embedded cluster in a separate process, so that it competes with the measured process only for cores. */
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import * as z from 'zod/mini';

const ClusterInfo = z.object({
  proxy: z.string(),
  ssh: z.string(),
  auth: z.string(),
  caPin: z.string(),
  webCa: z.string(),
  joinToken: z.string(),
  bot: z.string(),
  cluster: z.string(),
});

export interface BenchCluster extends z.infer<typeof ClusterInfo> {
  /** The OIDC token for the environment of a run. */
  readonly token: string;
  readonly stop: () => void;
}

/** @param more further arguments of `npm run cluster` */
export async function startCluster(
  directory: string,
  teleport: string,
  more: readonly string[] = [],
): Promise<BenchCluster> {
  const main = ['scripts/run.mjs', 'test/cluster/main.ts'];
  const args = [...main, '--dir', directory, '--teleport', teleport, ...more];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const info = ClusterInfo.parse(JSON.parse(line));
    const token = execFileSync(process.execPath, [...main, 'mint', '--dir', directory], { encoding: 'utf8' }).trim();
    return { ...info, token, stop: () => child.kill('SIGTERM') };
  }
  throw new Error('the cluster ended before it was ready');
}
