/** The join token: its name, or a file that holds the name. */
import { posix } from 'node:path';
import { isScopeQualified } from '../teleport/scopes.ts';
import type { Findings } from './findings.ts';
import type { Setting } from './settings.ts';
import { unexpandedPath, unexpandedValue } from './unexpanded.ts';

/**
 * The token's name; an absolute path is the file to read it from, unless it is the name of a scoped token and there is no
 * such file. `undefined` after a fault.
 */
export async function readJoinToken(
  { value, origin }: Setting<string>,
  readFile: (path: string) => Promise<string>,
  findings: Findings,
): Promise<string | undefined> {
  const unexpanded = unexpandedToken(value);
  if (unexpanded !== undefined) {
    findings.refuse(origin, unexpanded);
    return undefined;
  }
  if (!posix.isAbsolute(value)) return value;
  let contents: string;
  try {
    contents = (await readFile(value)).trim();
  } catch (error) {
    if (isScopeQualified(value)) return value;
    const reason = error instanceof Error ? error.message : 'unknown error';
    findings.refuse(origin, `an absolute path is a file with the token's name, but ${value} can't be read: ${reason}`);
    return undefined;
  }
  if (contents === '') findings.refuse(origin, `the token file ${value} is empty`);
  return contents === '' ? undefined : contents;
}

/** Why `value` cannot be meant as it stands, or `undefined`. */
export function unexpandedToken(value: string): string | undefined {
  return /^[~/]/.test(value) ? unexpandedPath(value) : unexpandedValue(value);
}
