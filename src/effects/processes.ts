/** The processes of this machine, as far as they tell whether a job has ended. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Commands } from './commands.ts';
import { processIdScope } from './process-mark.ts';

/** Names a process for as long as the machine runs: its id alone may be given to another one later. */
export type ProcessName = string;

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

const PS_LIMITS = { timeoutMs: 5000, maxBytes: 4 * 1024 * 1024 };

export function listProcessesBy(commands: Commands): ListProcesses {
  return async () => {
    if (process.platform === 'linux') return processesOf(linuxTable(), environmentOf);
    if (process.platform !== 'darwin') return undefined;
    const { exitCode, stdout } = await commands.run('ps', ['-axo', 'pid=,ppid=,stat=,lstart='], PS_LIMITS);
    return exitCode === 0 ? processesOf(psTable(stdout), () => '') : undefined;
  };
}

function processesOf(
  table: ReadonlyMap<number, Entry>,
  environment: (processId: number) => string,
): Processes | undefined {
  const ancestors = ancestorsIn(table);
  if (ancestors === undefined) return undefined;
  const running = new Set([...table.values()].map(({ name }) => name));
  return {
    scope: processIdScope(),
    ancestors,
    isRunning: (name) => running.has(name),
    withVariable: (name, value) => {
      const found = [...table].find(
        ([id]) => id !== process.pid && environment(id).split('\0').includes(`${name}=${value}`),
      );
      return found?.[1].name;
    },
  };
}

/** Without the first process of all. Undefined where those of other users are hidden (proc(5), `hidepid`). */
function ancestorsIn(table: ReadonlyMap<number, Entry>): readonly ProcessName[] | undefined {
  const names: ProcessName[] = [];
  let id = process.ppid;
  while (id > 1) {
    const entry = table.get(id);
    // Processes that start and end meanwhile could lead round in a circle.
    if (entry === undefined || names.includes(entry.name)) return undefined;
    names.push(entry.name);
    id = entry.parent;
  }
  return names;
}

/** By proc(5); a process that was killed and not yet waited for has ended. */
function linuxTable(): ReadonlyMap<number, Entry> {
  const boot = textOf('/proc/sys/kernel/random/boot_id').trim().slice(0, 8);
  const table = new Map<number, Entry>();
  for (const id of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    // The name in parentheses may hold blanks and parentheses.
    const fields = textOf(`/proc/${id}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    const [state = '', parent = ''] = fields;
    const started = fields[19];
    if (started === undefined || state === 'Z' || state === 'X') continue;
    table.set(Number(id), { parent: Number(parent), name: `${id} ${started} ${boot}` });
  }
  return table;
}

/** Of a process of another user: empty. */
function environmentOf(processId: number): string {
  return textOf(`/proc/${processId}/environ`);
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
