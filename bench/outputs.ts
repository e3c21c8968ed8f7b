/** `run` with one output and with many. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE, joinArguments, runBundle, usageOf } from './bundle.ts';
import type { BenchCluster } from './cluster.ts';
import { against, repeat, type Row, row, RUNS, timed } from './figures.ts';

const MOST_MS_AN_OUTPUT = 10;
const MEMORY_RUNS = 3;

export interface OutputsWish {
  readonly teleport: string;
  readonly floorMs: number;
  /** The goal for a run with one output, above the floor. */
  readonly goalMs: number;
  /** Numbers of outputs in a run; the first is 1. */
  readonly counts: readonly number[];
}

export async function measureOutputs(
  cluster: BenchCluster,
  folder: string,
  { counts, floorMs, goalMs, teleport }: OutputsWish,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const hasEcdsaKeys = teleport.startsWith('18.');
  let oneMs = 0;
  for (const count of counts) {
    const config = join(folder, `${String(count)}.yaml`);
    writeFileSync(config, configOf(folder, count));
    const args = [...joinArguments(cluster), '--config', config];
    // Fewer runs, because the RSA keys of many outputs take long.
    const runs = count === 1 || hasEcdsaKeys ? RUNS : Math.ceil(RUNS / 5);
    const wall = await repeat(() => {
      // As in a job, the destination does not exist.
      rmSync(join(folder, 'out'), { recursive: true, force: true });
      return timed(() => {
        runBundle(cluster, args);
      });
    }, runs);
    const memory = await repeat(() => usageOf(cluster, [BUNDLE, ...args]).peakMb, MEMORY_RUNS);
    if (count === 1) oneMs = wall.median;
    const each = (wall.median - oneMs) / (count - 1);
    const remark =
      count === 1
        ? against(wall.median - floorMs, goalMs, 'ms over the floor')
        : hasEcdsaKeys
          ? against(each, MOST_MS_AN_OUTPUT, 'ms for each more')
          : `${each.toFixed(1)} ms for each more`;
    const name = `Teleport ${teleport}, ${String(count)} output${count === 1 ? '' : 's'}`;
    rows.push(row(`run, ${name}`, wall, 'ms', remark), row(`peak memory, ${name}`, memory, 'MB'));
  }
  return rows;
}

/** Identities in subfolders of `out`. */
export function configOf(folder: string, count: number): string {
  const outputs = Array.from(
    { length: count },
    (_, at) => `  - { type: identity, destination: { type: directory, path: ${join(folder, 'out', String(at))} } }\n`,
  );
  return `version: v2\noutputs:\n${outputs.join('')}`;
}
