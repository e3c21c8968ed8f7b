/** Whether a program that a test compares with is on this machine. */
import { spawnSync } from 'node:child_process';

/** False, or why the test is skipped; on CI nothing is skipped. */
export function programMissing(name: string): string | false {
  if (process.env.CI === 'true') return false;
  return spawnSync(name, ['--version']).error === undefined ? false : `${name} is not installed`;
}
