/** The processes of this machine, as far as they tell whether a job has ended. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Commands } from './programs.ts';

/** Names a process for as long as the machine runs: its id alone may be given to another one later. */
type ProcessName = string;

export interface Processes {
  /** Machine and namespace in which process ids are counted; names of another scope mean nothing here. */
  readonly scope: string;
  /** Of this process: its parent first. */
  readonly ancestors: readonly ProcessName[];
  isRunning(name: ProcessName): boolean;
  /** A process other than this one whose environment has the variable; undefined when none is known to. */
  withVariable(name: string, value: string): ProcessName | undefined;
}

/** Undefined where processes cannot be listed. */
export type ListProcesses = () => Promise<Processes | undefined>;

interface Entry {
  readonly parent: number;
  readonly name: ProcessName;
}

/** Undefined for a process that has ended. */
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

/** @param idWith the id of a process other than this one whose environment has that text */
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

/** Without the first process of all. Undefined where those of other users are hidden (proc(5), `hidepid`). */
function ancestorsBy(lookup: Lookup): readonly ProcessName[] | undefined {
  const names: ProcessName[] = [];
  let id = process.ppid;
  while (id > 1) {
    const entry = lookup(id);
    // Processes that start and end meanwhile could lead round in a circle.
    if (entry === undefined || names.includes(entry.name)) return undefined;
    names.push(entry.name);
    id = entry.parent;
  }
  return names;
}

/** By proc(5); a process that was killed and not yet waited for has ended. */
function linuxLookup(): Lookup {
  const boot = textOf('/proc/sys/kernel/random/boot_id').slice(0, 8);
  return (id) => {
    // The name in parentheses may hold blanks and parentheses.
    const fields = textOf(`/proc/${id}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    const [state = '', parent = ''] = fields;
    const started = fields[19];
    if (started === undefined || state === 'Z' || state === 'X') return undefined;
    return { parent: Number(parent), name: `${id} ${started} ${boot}` };
  };
}

/** The environment of another user's process cannot be read. */
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
    return ''; // of another user, or just ended
  }
}

// Names this process in the names of temporary files, so that a later one knows whether their maker still runs.

/** Letters, digits, `-` and `_`. */
const PROCESS_MARK = /^([\w-]{6})-([0-9a-z]+)$/;

/** Files are temporary for milliseconds; where `setfacl` hangs, for less than a minute. */
const MAX_USE_MS = 5 * 60 * 1000;

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
  if (scope === undefined || Date.now() - changedAtMs > MAX_USE_MS) return false;
  // The ids of another host or container mean nothing here.
  if (scope !== processIdScope()) return true;
  const processId = Number.parseInt(id, 36);
  return processId !== process.pid && isRunning(processId);
}

/** Host and, in containers, the namespace in which process ids are counted. */
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
