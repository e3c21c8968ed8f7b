/** Measures whole processes of the program against the embedded cluster, and the floor of this machine. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE } from './bundle.ts';
import { startCluster } from './cluster.ts';
import { print, type Row } from './figures.ts';
import { measureFloor } from './floor.ts';
import { measureOutputs } from './outputs.ts';
import { measureRefresh } from './refresh.ts';
import { measureRoundTrips } from './round-trips.ts';
import { measureSsh } from './ssh.ts';
import { measureStartup } from './startup.ts';
import { measureTunnel } from './tunnel.ts';

/** Goals are above the floor, for a run with one output, which needs two RSA keys before Teleport 17, and none since. */
const PROFILES = [
  { teleport: '15.3.7', goalMs: 400, counts: [1, 10, 50] },
  { teleport: '17.5.0', goalMs: 200, counts: [1] },
  { teleport: '18.6.0', goalMs: 200, counts: [1, 10, 50] },
] as const;

const folder = mkdtempSync(join(tmpdir(), 'machine-id-bench-'));
try {
  if (process.argv[2] === 'startup') print(await measureStartup(join(folder, 'startup')));
  else if (process.argv[2] === 'round-trips') await measureRoundTrips(join(folder, 'round-trips'));
  else if (process.argv[2] === 'refresh') print(await measureRefresh(join(folder, 'refresh')));
  else if (process.argv[2] === 'tunnel') print(await measureTunnel(join(folder, 'tunnel')));
  else await measureAll();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureAll(): Promise<void> {
  const newest = await startCluster(join(folder, 'floor'), '18.6.0');
  const { floorMs, nodeStart, rows } = await measureFloor(newest).finally(newest.stop);
  const all: Row[] = [...rows];
  for (const profile of PROFILES) {
    const place = join(folder, profile.teleport);
    const cluster = await startCluster(place, profile.teleport);
    all.push(...(await measureOutputs(cluster, place, { ...profile, floorMs }).finally(cluster.stop)));
  }
  all.push(...(await measureStartup(join(folder, 'startup'))), ...(await measureSsh(folder, nodeStart)));
  all.push(...(await measureRefresh(join(folder, 'refresh'))));
  all.push(...(await measureTunnel(join(folder, 'tunnel'))));
  print(all);
  console.log(`\nbundle ${(statSync(BUNDLE).size / 1024).toFixed(0)} KB`);
}
