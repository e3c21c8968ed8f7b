/** Which processes of this machine still run: those of this job and of others, and those that created temporary files. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Commands } from './programs.ts';

/** Identifies a process for as long as the machine runs; its id alone may be reused. */
export type ProcessName = string;

export interface Processes {
  /** Machine and namespace of the process ids; names from another scope mean nothing here. */
  readonly scope: string;
  /** Ancestors of this process, parent first. */
  readonly ancestors: readonly ProcessName[];
  readonly self: ProcessName;
  isRunning(name: ProcessName): boolean;
  /** Another process, not one of `except`, whose environment has the variable; undefined if none is known. */
  withVariable(name: string, value: string, except?: readonly ProcessName[]): ProcessName | undefined;
  /** False if the environment of the process cannot be read. */
  hasVariable(process: ProcessName, name: string, value: string): boolean;
  /** Whether the process leads its session, as the shell of a step or of a terminal does. */
  leadsSession(process: ProcessName): boolean;
  /** False if the process has ended, or belongs to another user. A later process with the same id gets no signal. */
  send(process: ProcessName, signal: 'SIGTERM' | 'SIGKILL'): boolean;
}

/** Undefined if processes cannot be listed. */
export type ListProcesses = () => Promise<Processes | undefined>;

interface Entry {
  readonly parent: number;
  readonly name: ProcessName;
  readonly leadsSession: boolean;
}

/** Undefined if the process has ended. */
type Lookup = (processId: number) => Entry | undefined;

const PS_LIMITS = { timeoutMs: 5000, maxBytes: 4 * 1024 * 1024 };

export function listProcessesBy(commands: Commands): ListProcesses {
  return async () => {
    if (process.platform === 'linux') return processesOf(linuxLookup(), linuxEnvironment);
    if (process.platform !== 'darwin') return undefined;
    const { exitCode, stdout } = await commands.run('ps', ['-axo', 'pid=,ppid=,stat=,lstart='], PS_LIMITS);
    const table = psTable(stdout);
    return exitCode === 0 ? processesOf((id) => table.get(id), NO_ENVIRONMENT) : undefined;
  };
}

/** Reads environments of processes, as far as they are visible. */
interface Environments {
  has(processId: number, variable: string): boolean;
  ids(): readonly number[];
}

const NO_ENVIRONMENT: Environments = { has: () => false, ids: () => [] };

function processesOf(lookup: Lookup, environments: Environments): Processes | undefined {
  const ancestors = ancestorsBy(lookup);
  const self = lookup(process.pid);
  if (ancestors === undefined || self === undefined) return undefined;
  const entryOf = (name: ProcessName) => {
    const entry = lookup(idOf(name));
    return entry?.name === name ? entry : undefined;
  };
  return {
    scope: processIdScope(),
    ancestors,
    self: self.name,
    isRunning: (name) => entryOf(name) !== undefined,
    withVariable: (name, value, except = []) =>
      environments
        .ids()
        .filter((id) => id !== process.pid && environments.has(id, `${name}=${value}`))
        .map((id) => lookup(id)?.name)
        .find((found) => found !== undefined && !except.includes(found)),
    hasVariable: (one, name, value) => environments.has(idOf(one), `${name}=${value}`),
    leadsSession: (one) => entryOf(one)?.leadsSession ?? false,
    send: (one, signal) => entryOf(one) !== undefined && sendSignal(idOf(one), signal),
  };
}

function idOf(name: ProcessName): number {
  return Number.parseInt(name, 10);
}

function sendSignal(processId: number, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    return process.kill(processId, signal);
  } catch {
    return false; // ESRCH, or EPERM
  }
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
    return { parent: Number(parent), name: `${id} ${started} ${boot}`, leadsSession: fields[3] === String(id) };
  };
}

/** Cannot read the environment of other users' processes. */
const linuxEnvironment: Environments = {
  has: (id, variable) => textOf(`/proc/${id}/environ`).split('\0').includes(variable),
  ids: () =>
    namesIn('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number),
};

function psTable(text: string): ReadonlyMap<number, Entry> {
  const table = new Map<number, Entry>();
  for (const line of text.split('\n')) {
    const [, id, parent, state = '', started = ''] = /^ *(\d+) +(\d+) +(\S+) +(.+?) *$/.exec(line) ?? [];
    if (id !== undefined && !state.startsWith('Z')) {
      const leadsSession = state.includes('s');
      table.set(Number(id), { parent: Number(parent), name: `${id} ${started}`, leadsSession });
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
/** Of a process that runs: the machine may be suspended, or its clock be set, while it writes. After that, its id is another's. */
const MAX_USE_OF_RUNNING_MS = 24 * 60 * 60 * 1000;

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
  if (scope === undefined) return false;
  const ageMs = Date.now() - changedAtMs;
  // Process ids of another host or container mean nothing here.
  if (scope !== processIdScope()) return ageMs <= MAX_USE_MS;
  const processId = Number.parseInt(id, 36);
  return ageMs <= MAX_USE_OF_RUNNING_MS && processId !== process.pid && isRunning(processId);
}

/** Identifies the host and, in containers, the namespace of process ids. */
function processIdScope(): string {
  host ??= shortHash(`${hostname()}\n${linkOf('/proc/self/ns/pid')}`);
  return host;
}

/** FNV-1a, six characters. It only tells hosts apart, and to load Node's digests takes milliseconds of every command. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 2).toString(36).padStart(6, '0');
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
