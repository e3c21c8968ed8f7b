/** Jobs whose cluster is reached through a proxy: its host is not one that is always reached directly. */
import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { after, type TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { beginJob, type Job } from './job.ts';

const authorities = await directoryFor({ after });

/** Every resolver knows it, and only the spelling `localhost` is always reached directly (protocol reference 1.5). */
export const HOST = 'LOCALHOST';
/** Only squid resolves it. */
export const HIDDEN = 'teleport.corp.test';

export interface Named {
  readonly cluster: Cluster;
  /** `host:port` */
  readonly place: string;
}

/** Users may log in to its nodes as the user of this process. */
export async function clusterNamed(t: TestContext, host: string, teleport = '18.6.0'): Promise<Named> {
  const port = await freePort();
  const place = `${host}:${port}`;
  const wish = { teleport, port, publicAddress: place, extraLogins: [userInfo().username] };
  return { cluster: await clusterIn(authorities, t, wish), place };
}

/** Its flags name the Proxy by that place. */
export async function beginJobAt(t: TestContext, { cluster, place }: Named): Promise<Job> {
  const job = await beginJob(t, cluster);
  return { ...job, flags: job.flags.map((flag) => (flag === cluster.info.proxy ? place : flag)) };
}

export interface Guard {
  /** For the runs that it watches. */
  readonly environment: Readonly<Record<string, string>>;
  /** What they did, once each: `connect host:port` and `lookup name`. */
  readonly lines: () => Promise<readonly string[]>;
}

export async function guarded(job: Job): Promise<Guard> {
  const file = join(job.folder, 'guard');
  await writeFile(file, '');
  return {
    environment: { GUARD_FILE: file, NODE_OPTIONS: `--require ${resolve('test/e2e/connection-guard.cjs')}` },
    lines: async () => [...new Set((await readFile(file, 'utf8')).trim().split('\n'))],
  };
}
