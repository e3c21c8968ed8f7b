/** The environment of later steps of a job. */
import assert from 'node:assert/strict';
import type { Job } from './job.ts';
import { runProgram } from '../programs.ts';

/** Read by bash, as CircleCI's steps do. */
export async function exportedTo({ bashEnv }: Job): Promise<Readonly<Record<string, string>>> {
  const script = 'env -i bash -c \'set -a; . "$1"; env -0\' later-step "$1"';
  const { exitCode, stdout, stderr } = await runProgram('bash', ['-c', script, 'read', bashEnv]);
  assert.equal(exitCode, 0, stderr);
  const lines = stdout.split('\0').filter((line) => /^(?!_=|PWD=|SHLVL=|OLDPWD=)\w+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
