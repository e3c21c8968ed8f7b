/** Whether processes that a test has killed have ended. */
import { readFileSync } from 'node:fs';

/** Its environment and its command line are empty a moment before that. */
export function hasEnded(processId: number): boolean {
  return /^(?:\d+ \(.*\) [ZX] |$)/.test(textOf(`/proc/${processId}/stat`));
}

/** Empty if there is no such process. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
