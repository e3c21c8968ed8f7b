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
