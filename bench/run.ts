/** Measures the program as a user feels it: whole processes against the embedded cluster, beside the floor on this machine. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE } from './bundle.ts';
import { startCluster } from './cluster.ts';
import { print, type Row } from './figures.ts';
import { measureFloor } from './floor.ts';
import { measureOutputs } from './outputs.ts';
import { measureSsh } from './ssh.ts';

/** Over the floor, for a run with one output: before 17 it needs two RSA keys, after that none. */
const GOALS_MS = { '15.3.7': 400, '17.5.0': 200, '18.6.0': 200 } as const;

const folder = mkdtempSync(join(tmpdir(), 'machine-id-bench-'));
try {
  const newest = await startCluster(join(folder, 'floor'), '18.6.0');
  const { floorMs, nodeStart, rows } = await measureFloor(newest).finally(newest.stop);
  const all: Row[] = [...rows];
  for (const [teleport, goalMs] of Object.entries(GOALS_MS)) {
    const cluster = await startCluster(join(folder, teleport), teleport);
    const place = join(folder, teleport);
    all.push(...(await measureOutputs(cluster, place, { teleport, floorMs, goalMs }).finally(cluster.stop)));
  }
  all.push(...(await measureSsh(folder, nodeStart)));
  print(all);
  console.log(`\nbundle ${(statSync(BUNDLE).size / 1024).toFixed(0)} KB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
