/** Hands paths and names on to later steps through the file that `$BASH_ENV` names. */
import type { Files } from '../effects/files.ts';
import { fileFault } from '../effects/file-error.ts';
import { MachineIdError } from '../errors.ts';

/** Adds to the end of a file, creating it when it is missing. */
export interface Appender {
  appendText(path: string, text: string): Promise<void>;
}

/**
 * The path in `BASH_ENV`, to be asked for before the run changes anything.
 * @throws MachineIdError BASH_ENV_UNWRITABLE
 */
export function bashEnvPath(environment: Readonly<Record<string, string | undefined>>): string {
  const path = environment.BASH_ENV;
  if (path !== undefined && path !== '') return path;
  throw new MachineIdError('BASH_ENV_UNWRITABLE', 'BASH_ENV is not set, so nothing can be exported to later steps', {
    hint: 'CircleCI sets BASH_ENV in every job; elsewhere set it to a file path, or switch the exports off with --no-export (orb parameter export_env: false).',
  });
}

/**
 * The path in `BASH_ENV` after nothing was appended to it: a file that cannot be written ends the run while no
 * credentials exist yet.
 * @throws MachineIdError BASH_ENV_UNWRITABLE
 */
export async function openBashEnv(
  files: Appender,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const path = bashEnvPath(environment);
  await append(files, path, '');
  return path;
}

/**
 * Appends lines of `exportLines`; never overwrites what others wrote.
 * @throws MachineIdError BASH_ENV_UNWRITABLE
 */
export function appendLines(files: Appender, path: string, lines: string): Promise<void> {
  return append(files, path, lines);
}

/** One quoted `export` line a variable. Begins with a line break, since what another program wrote may not end with one. */
export function exportLines(variables: ReadonlyMap<string, string>): string {
  return `\n${[...variables].map(([name, value]) => `export ${name}=${shellQuoted(value)}\n`).join('')}`;
}

/** Single quotes keep everything but themselves; the NUL byte cannot stand in a variable at all. */
function shellQuoted(value: string): string {
  return `'${value.replaceAll('\0', '').replaceAll("'", "'\\''")}'`;
}

async function append(files: Appender, path: string, text: string): Promise<void> {
  try {
    await files.appendText(path, text);
  } catch (cause) {
    const message = `cannot append to ${path}, the file that BASH_ENV names: ${fileFault(cause)}`;
    throw new MachineIdError('BASH_ENV_UNWRITABLE', message, {
      hint: 'Check that this is a file that this user may write to and that its disk has room, or switch the exports off with --no-export (orb parameter export_env: false).',
      cause,
    });
  }
}

const MAX_BASH_ENV_BYTES = 16 * 1024 * 1024;

/**
 * Takes lines that runs appended back out of the file and keeps the rest as it is. What another program appends at this
 * very moment may be lost, as there is no lock that every program knows.
 * @returns how many of the blocks were still there
 */
export async function removeLines(
  files: Pick<Files, 'readText' | 'createFile' | 'rename' | 'entry' | 'setMode' | 'remove'>,
  path: string,
  blocks: readonly string[],
): Promise<number> {
  const before = await files.entry(path);
  if (before?.kind !== 'file') return 0;
  let text = await files.readText(path, { maxBytes: MAX_BASH_ENV_BYTES });
  let removed = 0;
  for (const block of blocks) {
    const at = text.indexOf(block);
    if (at === -1) continue;
    // Its first line break may be what ends the line of another program before it.
    text = `${text.slice(0, at)}\n${text.slice(at + block.length)}`;
    removed += 1;
  }
  if (removed === 0) return 0;
  const temporary = `${path}.machine-id`;
  await files.remove(temporary);
  try {
    await files.createFile(temporary, text);
    await files.setMode(temporary, before.mode);
    await files.rename(temporary, path);
  } finally {
    await files.remove(temporary);
  }
  return removed;
}
