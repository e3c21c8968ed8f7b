/** Hands paths and names on to later steps through the file that `$BASH_ENV` names. */
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
 * Appends one quoted `export` line a variable; never overwrites what others wrote.
 * @throws MachineIdError BASH_ENV_UNWRITABLE
 */
export async function appendExports(
  files: Appender,
  path: string,
  variables: ReadonlyMap<string, string>,
): Promise<void> {
  await append(files, path, exportLines(variables));
}

/** Begins with a line break, since what another program wrote may not end with one. */
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
    throw new MachineIdError('BASH_ENV_UNWRITABLE', `cannot append to ${path}, the file that BASH_ENV names`, {
      hint: 'Check that the directory of that file exists and that this user may write there, or switch the exports off with --no-export (orb parameter export_env: false).',
      cause,
    });
  }
}
