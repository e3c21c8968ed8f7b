/** Runs the bundle as a whole process. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchCluster } from './cluster.ts';

export const BUNDLE = 'dist/machine-id.cjs';

/** What a run is told besides its outputs. */
export function joinArguments({ joinToken, proxy, webCa }: BenchCluster): string[] {
  return ['run', '--proxy-server', proxy, '--token', joinToken, '--ca-file', webCa, '--no-export'];
}

export function runBundle({ token }: BenchCluster, args: readonly string[]): void {
  execFileSync(process.execPath, [BUNDLE, ...args], options(token));
}

/** The most resident memory that the process had, in MB. */
export function peakMemoryMb({ token }: BenchCluster, args: readonly string[], peakFile: string): number {
  const { env, stdio } = options(token);
  const script = 'exec 3>"$PEAK_FILE"; exec "$0" "$@"';
  const command = [process.execPath, '--require', './bench/peak-memory.cjs', BUNDLE, ...args];
  execFileSync('sh', ['-c', script, ...command], { stdio, env: { ...env, PEAK_FILE: peakFile } });
  return Number(readFileSync(peakFile, 'utf8')) / 1024;
}

/** A home of its own: what the runs of a bench note down must not stay on the machine. */
const HOME = mkdtempSync(join(tmpdir(), 'machine-id-bench-home-'));
process.once('exit', () => {
  rmSync(HOME, { recursive: true, force: true });
});

function options(token: string) {
  return { env: { PATH: process.env.PATH, HOME, CIRCLE_OIDC_TOKEN: token }, stdio: 'ignore' as const };
}
