/** Runs the bundle as a process. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { BenchCluster } from './cluster.ts';

export const BUNDLE = 'dist/machine-id.cjs';

/** The arguments of a run except its outputs. */
export function joinArguments({ joinToken, proxy, webCa }: BenchCluster): string[] {
  return ['run', '--proxy-server', proxy, '--token', joinToken, '--ca-file', webCa, '--no-export'];
}

export function runBundle({ token }: BenchCluster, args: readonly string[]): void {
  execFileSync(process.execPath, [BUNDLE, ...args], { env: benchEnvironment(token), stdio: 'ignore' });
}

/** The resources that a process used from start to exit. */
export interface Usage {
  readonly peakMb: number;
  readonly cpuMs: number;
}

const Measured = z.object({ peakKib: z.number(), cpuMicros: z.number() });

/** @param command a Node program: the path of the script, followed by its arguments */
export function usageOf({ token }: Pick<BenchCluster, 'token'>, command: readonly string[]): Usage {
  const env = benchEnvironment(token);
  const script = 'exec 3>"$USAGE_FILE"; exec "$0" "$@"';
  const usageFile = join(HOME, 'usage');
  const args = [process.execPath, '--require', './bench/usage.cjs', ...command];
  execFileSync('sh', ['-c', script, ...args], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...env, USAGE_FILE: usageFile },
  });
  const { cpuMicros, peakKib } = Measured.parse(JSON.parse(readFileSync(usageFile, 'utf8')));
  return { peakMb: peakKib / 1024, cpuMs: cpuMicros / 1000 };
}

/** Uses a temporary home directory, so that runs leave no records on the machine. */
const HOME = mkdtempSync(join(tmpdir(), 'machine-id-bench-home-'));
process.once('exit', () => {
  rmSync(HOME, { recursive: true, force: true });
});

/** Only these: NODE_EXTRA_CA_CERTS, for example, makes each start of Node slower. */
export function benchEnvironment(token: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME, CIRCLE_OIDC_TOKEN: token };
}
