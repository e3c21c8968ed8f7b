/** Measures whole processes of the program against the embedded cluster, and the floor of this machine. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { BUNDLE } from './bundle.ts';
import { startCluster } from './cluster.ts';
import { against, one, print, type Row, row, writeJson } from './figures.ts';
import { measureFloor } from './floor.ts';
import { measureOutputs } from './outputs.ts';
import { measurePractice } from './practice.ts';
import { measureRatios } from './ratios.ts';
import { measureRefresh } from './refresh.ts';
import { measureRoundTrips } from './round-trips.ts';
import { measureSsh } from './ssh.ts';
import { measureStartup } from './startup.ts';
import { measureStorm } from './storm.ts';
import { measureTunnel } from './tunnel.ts';

/** Goals are above the floor, for a run with one output, which needs two RSA keys before Teleport 17, and none since. */
const PROFILES = [
  { teleport: '15.3.7', goalMs: 400, counts: [1, 10, 50] },
  { teleport: '17.5.0', goalMs: 200, counts: [1] },
  { teleport: '18.6.0', goalMs: 200, counts: [1, 10, 50] },
] as const;

const MOST_KB = 520;

/** `npm run bench -- NAME` measures only one of these; without a name, what needs least time is measured. */
const BENCHES: ReadonlyMap<string, (folder: string) => Promise<readonly Row[]>> = new Map([
  ['ratios', measureRatios],
  ['startup', measureStartup],
  ['refresh', measureRefresh],
  ['tunnel', measureTunnel],
  ['round-trips', measureRoundTrips],
  ['storm', measureStorm],
  ['practice', measurePractice],
]);

const {
  positionals: [name],
  values: { json },
} = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });
const measure = name === undefined ? measureAll : BENCHES.get(name);
if (measure === undefined) throw new Error(`there is no bench "${name ?? ''}": ${[...BENCHES.keys()].join(', ')}`);

const folder = mkdtempSync(join(tmpdir(), 'machine-id-bench-'));
try {
  const rows = await measure(join(folder, 'bench'));
  print(rows);
  if (json !== undefined) writeJson(json, rows);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureAll(place: string): Promise<readonly Row[]> {
  const newest = await startCluster(join(place, 'floor'), '18.6.0');
  const { floorMs, nodeStart, rows } = await measureFloor(newest).finally(newest.stop);
  const all: Row[] = [...rows];
  for (const profile of PROFILES) {
    const own = join(place, profile.teleport);
    const cluster = await startCluster(own, profile.teleport);
    all.push(...(await measureOutputs(cluster, own, { ...profile, floorMs }).finally(cluster.stop)));
  }
  all.push(...(await measureStartup(join(place, 'startup'))), ...(await measureSsh(place, nodeStart)));
  all.push(...(await measureRefresh(join(place, 'refresh'))));
  all.push(...(await measureTunnel(join(place, 'tunnel'))));
  const bundle = readFileSync(BUNDLE);
  const [wholeKb, compressedKb] = [bundle.length / 1024, gzipSync(bundle, { level: 9 }).length / 1024];
  return [
    ...all,
    row('bundle', one(wholeKb), 'KB', against(wholeKb, MOST_KB, 'KB')),
    row('bundle, compressed as install downloads it', one(compressedKb), 'KB', against(compressedKb, MOST_KB, 'KB')),
  ];
}
