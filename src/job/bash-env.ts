/** Exports variables to later steps through the file that `$BASH_ENV` names. */
import { posix } from 'node:path';
import { fileErrorText } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';

/** Appends to a file, creating it if it is missing. */
interface Appender {
  appendText(path: string, text: string): Promise<void>;
}

/**
 * The path in `BASH_ENV`. Call it before the run changes anything.
 * @throws MachineIdError BASH_ENV_UNWRITABLE
 */
export function bashEnvPath(environment: Readonly<Record<string, string | undefined>>): string {
  const path = environment.BASH_ENV;
  if (path !== undefined && path !== '') return path;
  throw new MachineIdError('BASH_ENV_UNWRITABLE', 'BASH_ENV is not set, so nothing can be exported to later steps', {
    hint: 'CircleCI sets BASH_ENV in every job. Elsewhere, set it to a file path, or turn off exports with --no-export (orb parameter export_env: false).',
  });
}

/**
 * The path in `BASH_ENV`, tested by appending nothing to the file: a file that cannot be written ends the run before any
 * credentials exist.
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
 * The same without appending or creating anything.
 * @throws MachineIdError BASH_ENV_UNWRITABLE
 */
export async function checkBashEnv(
  files: { mayWrite(path: string, kind: 'file'): Promise<void> },
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const path = bashEnvPath(environment);
  try {
    await files.mayWrite(path, 'file');
  } catch (cause) {
    throw unwritable(path, cause);
  }
  return path;
}

/**
 * Appends lines of `exportLines`; never overwrites what others wrote.
 * @throws MachineIdError BASH_ENV_UNWRITABLE
 */
export function appendLines(files: Appender, path: string, lines: string): Promise<void> {
  return append(files, path, lines);
}

/** One quoted `export` line per variable. Starts with a newline, since the file may not end with one. */
export function exportLines(variables: ReadonlyMap<string, string>): string {
  return `\n${[...variables].map(([name, value]) => `export ${name}=${shellQuoted(value)}\n`).join('')}`;
}

/** Single quotes preserve everything but single quotes; a variable cannot contain a NUL byte. */
export function shellQuoted(value: string): string {
  return `'${value.replaceAll('\0', '').replaceAll("'", "'\\''")}'`;
}

async function append(files: Appender, path: string, text: string): Promise<void> {
  try {
    await files.appendText(path, text);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): MachineIdError {
  const message = `cannot append to ${path}, the file that BASH_ENV names: ${fileErrorText(cause)}`;
  return new MachineIdError('BASH_ENV_UNWRITABLE', message, {
    hint: 'Check that it is a file that this user may write to and that the disk has space, or turn off exports with --no-export (orb parameter export_env: false).',
    cause,
  });
}

/** Variables that a run or install-tools may export. */
const EXPORTED = /^(?:TELEPORT_|TF_TELEPORT_|MACHINE_ID_|PG|AWS_)[A-Z_]+$|^KUBECONFIG$/;
const EXPORT_LINE = /^export ([A-Z_]+)=((?:'[^']*'|\\')+)$/gm;
const PATH_LINE = /^case ":\$\{PATH-\}:" in \*:((?:'[^']*'|\\')+):\*\) ;; \*\) export PATH=/gm;

/**
 * The variables that runs have exported through `BASH_ENV`, read without executing the file. `PATH` has the folders that they
 * put first. Empty if there is no such file.
 */
export async function exportedToLaterSteps(
  files: Pick<Files, 'readText' | 'entry'>,
  { BASH_ENV: path = '' }: Readonly<Record<string, string | undefined>>,
): Promise<ReadonlyMap<string, string>> {
  if (path === '' || (await files.entry(path))?.kind !== 'file') return new Map();
  const text = await files.readText(path, { maxBytes: MAX_BASH_ENV_BYTES }).catch(() => '');
  const variables = [...text.matchAll(EXPORT_LINE)]
    .map(([, name = '', quoted = '']): [string, string] => [name, shellUnquoted(quoted)])
    .filter(([name]) => EXPORTED.test(name));
  const folders = [...text.matchAll(PATH_LINE)].map(([, quoted = '']) => shellUnquoted(quoted)).reverse();
  return new Map([...variables, ...(folders.length === 0 ? [] : [['PATH', folders.join(':')] as const])]);
}

function shellUnquoted(quoted: string): string {
  return quoted.replace(/'([^']*)'|\\(')/g, '$1$2');
}

const MAX_BASH_ENV_BYTES = 16 * 1024 * 1024;

interface RemovedLines {
  /** The number of `export` lines that were still there. */
  readonly removed: number;
  /** Variables of the blocks that other lines of the file set too. */
  readonly kept: readonly string[];
}

/**
 * Removes the lines that runs have appended. Keeps everything else, such as lines that the job has changed since. Text that
 * another program appends at the same moment may be lost, as there is no lock that all programs use.
 * @param blocks results of `exportLines`
 */
export async function removeLines(
  files: Pick<Files, 'readText' | 'createFile' | 'rename' | 'entry' | 'setMode' | 'remove'>,
  path: string,
  blocks: readonly string[],
): Promise<RemovedLines> {
  const entry = await files.entry(path);
  if (entry?.kind !== 'file') return { removed: 0, kept: [] };
  const before = await files.readText(path, { maxBytes: MAX_BASH_ENV_BYTES });
  let [text, removed] = [before, 0];
  for (const block of blocks) {
    const rest = withoutBlock(text, block);
    text = rest.text;
    removed += rest.removed;
  }
  const names = blocks.flatMap((block) => linesIn(block).map(nameIn));
  const kept = [...new Set(names)].filter((name) => sets(text, name));
  if (removed > 0) await replaceText(files, path, { text, mode: entry.mode });
  return { removed, kept };
}

/** Removes the whole block, or its remaining lines if something in it has changed. */
function withoutBlock(text: string, block: string): { readonly text: string; readonly removed: number } {
  const lines = linesIn(block);
  const at = text.indexOf(block);
  // Keeps a newline: it may end another program's line before the block.
  if (at !== -1) return { text: `${text.slice(0, at)}\n${text.slice(at + block.length)}`, removed: lines.length };
  let [rest, removed] = [`\n${text}`, 0];
  for (const line of lines) {
    const start = rest.indexOf(`\n${line}`);
    if (start === -1) continue;
    rest = `${rest.slice(0, start + 1)}${rest.slice(start + 1 + line.length)}`;
    removed += 1;
  }
  return { text: rest.slice(1), removed };
}

/** Each with its final newline; values may contain newlines too. */
function linesIn(block: string): readonly string[] {
  return block.replace(/^\n/, '').split(/(?<=\n)(?=export \w+=)/);
}

function nameIn(line: string): string {
  return /^export (\w+)=/.exec(line)?.[1] ?? '';
}

function sets(text: string, name: string): boolean {
  return name !== '' && new RegExp(`(^|[\\s;&])${name}=`, 'm').test(text);
}

async function replaceText(
  files: Pick<Files, 'createFile' | 'rename' | 'setMode' | 'remove'>,
  path: string,
  { mode, text }: { readonly mode: number; readonly text: string },
): Promise<void> {
  const temporary = `${path}.machine-id`;
  await files.remove(temporary);
  try {
    await files.createFile(temporary, text);
    await files.setMode(temporary, mode);
    await files.rename(temporary, path);
  } finally {
    await files.remove(temporary);
  }
}

/**
 * Lines that put a folder first in `PATH` for later steps. Every bash reads the file, including nested ones, so the lines do
 * not add a folder that is already on `PATH`.
 * @param directory absolute; on Windows it may start with a drive letter
 */
export function pathLines(directory: string): string {
  const quoted = `'${shellPath(directory).replaceAll("'", "'\\''")}'`;
  return `\ncase ":\${PATH-}:" in *:${quoted}:*) ;; *) export PATH=${quoted}"\${PATH:+:}\${PATH-}" ;; esac\n`;
}

/** Git Bash writes `C:\Users` as `/c/Users`; a colon would split the path in two. */
function shellPath(directory: string): string {
  const [, drive, rest] = /^([a-z]):[\\/](.*)$/i.exec(directory) ?? [];
  if (drive === undefined || rest === undefined) return directory;
  return posix.join('/', drive.toLowerCase(), rest.replaceAll('\\', '/'));
}
