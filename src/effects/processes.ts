/** Which processes of this machine still run: those of other jobs, and those that created temporary files. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Commands } from './programs.ts';

/** Identifies a process for as long as the machine runs; its id alone may be reused. */
type ProcessName = string;

export interface Processes {
  /** Machine and namespace of the process ids; names from another scope mean nothing here. */
  readonly scope: string;
  /** Ancestors of this process, parent first. */
  readonly ancestors: readonly ProcessName[];
  isRunning(name: ProcessName): boolean;
  /** Another process whose environment has the variable; undefined if none is known. */
  withVariable(name: string, value: string): ProcessName | undefined;
}

/** Undefined if processes cannot be listed. */
export type ListProcesses = () => Promise<Processes | undefined>;

interface Entry {
  readonly parent: number;
  readonly name: ProcessName;
}

/** Undefined if the process has ended. */
type Lookup = (processId: number) => Entry | undefined;

const PS_LIMITS = { timeoutMs: 5000, maxBytes: 4 * 1024 * 1024 };

export function listProcessesBy(commands: Commands): ListProcesses {
  return async () => {
    if (process.platform === 'linux') return processesOf(linuxLookup(), linuxIdWith);
    if (process.platform !== 'darwin') return undefined;
    const { exitCode, stdout } = await commands.run('ps', ['-axo', 'pid=,ppid=,stat=,lstart='], PS_LIMITS);
    const table = psTable(stdout);
    return exitCode === 0
      ? processesOf(
          (id) => table.get(id),
          () => undefined,
        )
      : undefined;
  };
}

/** @param idWith finds the id of another process whose environment has that text */
function processesOf(lookup: Lookup, idWith: (variable: string) => number | undefined): Processes | undefined {
  const ancestors = ancestorsBy(lookup);
  if (ancestors === undefined) return undefined;
  return {
    scope: processIdScope(),
    ancestors,
    isRunning: (name) => lookup(Number.parseInt(name, 10))?.name === name,
    withVariable: (name, value) => {
      const id = idWith(`${name}=${value}`);
      return id === undefined ? undefined : lookup(id)?.name;
    },
  };
}

/** Without the system's first process. Undefined if other users' processes are hidden (proc(5), `hidepid`). */
function ancestorsBy(lookup: Lookup): readonly ProcessName[] | undefined {
  const names: ProcessName[] = [];
  let id = process.ppid;
  while (id > 1) {
    const entry = lookup(id);
    // Processes that start and end in the meantime could form a circle.
    if (entry === undefined || names.includes(entry.name)) return undefined;
    names.push(entry.name);
    id = entry.parent;
  }
  return names;
}

/** Reads /proc (proc(5)); a zombie counts as ended. */
function linuxLookup(): Lookup {
  const boot = textOf('/proc/sys/kernel/random/boot_id').slice(0, 8);
  return (id) => {
    // The name in parentheses may contain spaces and parentheses.
    const fields = textOf(`/proc/${id}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    const [state = '', parent = ''] = fields;
    const started = fields[19];
    if (started === undefined || state === 'Z' || state === 'X') return undefined;
    return { parent: Number(parent), name: `${id} ${started} ${boot}` };
  };
}

/** Cannot read the environment of other users' processes. */
function linuxIdWith(variable: string): number | undefined {
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map(Number)
    .find((id) => textOf(`/proc/${id}/environ`).split('\0').includes(variable));
}

function psTable(text: string): ReadonlyMap<number, Entry> {
  const table = new Map<number, Entry>();
  for (const line of text.split('\n')) {
    const [, id, parent, state = '', started = ''] = /^ *(\d+) +(\d+) +(\S+) +(.+?) *$/.exec(line) ?? [];
    if (id !== undefined && !state.startsWith('Z')) {
      table.set(Number(id), { parent: Number(parent), name: `${id} ${started}` });
    }
  }
  return table;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // no proc file system
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // another user's process, or one that has just ended
  }
}

// A process mark in the name of a temporary file lets a later process check whether its creator still runs.

/** Letters, digits, `-` and `_`. */
const PROCESS_MARK = /^([\w-]{6})-([0-9a-z]+)$/;

/** Temporary files exist for milliseconds, or if `setfacl` hangs, for less than a minute. */
const MAX_USE_MS = 5 * 60 * 1000;

let host: string | undefined;

export function processMark(): string {
  return `${processIdScope()}-${process.pid.toString(36)}`;
}

/**
 * False if the process with that mark has ended, so that the file is unused. This process asks before it creates
 * any file, so a file with its own mark was left by an earlier process with the same id.
 * @param changedAtMs when the file with the mark was last changed
 */
export function mayStillRun(mark: string, changedAtMs: number): boolean {
  const [, scope, id = ''] = PROCESS_MARK.exec(mark) ?? [];
  if (scope === undefined || Date.now() - changedAtMs > MAX_USE_MS) return false;
  // Process ids of another host or container mean nothing here.
  if (scope !== processIdScope()) return true;
  const processId = Number.parseInt(id, 36);
  return processId !== process.pid && isRunning(processId);
}

/** Identifies the host and, in containers, the namespace of process ids. */
function processIdScope(): string {
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
    // ESRCH, or EPERM: another user's process, which cannot have created a file of this user.
    return false;
  }
  return !isZombie(processId);
}

/** A dead process stays in the table until its parent waits for it, which a container's first process may never do. */
function isZombie(processId: number): boolean {
  try {
    const [, state] = /\) (\S)/.exec(readFileSync(`/proc/${processId}/stat`, 'latin1')) ?? [];
    return state === 'Z' || state === 'X';
  } catch {
    return false; // not Linux
  }
}
