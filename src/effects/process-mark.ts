/** Names this process in the names of temporary files, so that a later one knows whether their maker still runs. */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Letters, digits, `-` and `_`. */
export const PROCESS_MARK = /^([\w-]{6})-([0-9a-z]+)$/;

/** Files are temporary for milliseconds; where `setfacl` hangs, for less than a minute. */
const LONGEST_USE_MS = 5 * 60 * 1000;

let host: string | undefined;

export function processMark(): string {
  return `${processIdScope()}-${process.pid.toString(36)}`;
}

/**
 * False when the process of that mark has ended: it is then nobody's file. This process itself asks before it makes any,
 * so one with its own mark is left by an earlier process that had the same id.
 * @param changedAtMs when the file that carries the mark was last changed
 */
export function mayStillRun(mark: string, changedAtMs: number): boolean {
  const [, scope, id = ''] = PROCESS_MARK.exec(mark) ?? [];
  if (scope === undefined || Date.now() - changedAtMs > LONGEST_USE_MS) return false;
  // The ids of another host or container mean nothing here.
  if (scope !== processIdScope()) return true;
  const processId = Number.parseInt(id, 36);
  return processId !== process.pid && isRunning(processId);
}

/** Host and, in containers, the namespace in which process ids are counted. */
export function processIdScope(): string {
  host ??= createHash('sha256')
    .update(`${hostname()}\n${linkOf('/proc/self/ns/pid')}`)
    .digest('base64url')
    .slice(0, 6);
  return host;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // not Linux
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
  } catch {
    // ESRCH, or EPERM: a process of another user, which cannot have made a file of this one's.
    return false;
  }
  return !isZombie(processId);
}

/** One that was killed stays in the table until its parent asks, which a container's first process may never do. */
function isZombie(processId: number): boolean {
  try {
    const [, state] = /\) (\S)/.exec(readFileSync(`/proc/${processId}/stat`, 'latin1')) ?? [];
    return state === 'Z' || state === 'X';
  } catch {
    return false; // not Linux
  }
}
