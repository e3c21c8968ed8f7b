/** The join token: its name, or a file that holds the name. */
import { posix } from 'node:path';
import { unexpandedPath, unexpandedValue } from '../schema/unexpanded.ts';
import { isScopeQualified } from '../teleport/names.ts';
import { type Findings, nameOf, type Origin, type Setting, setting } from './findings.ts';
import type { Settings } from './settings.ts';

/**
 * The token's name. An absolute path is a file that contains it, unless there is no such file and it is the name of a scoped
 * token. `undefined` after a problem.
 */
export async function readJoinToken(
  { value, origin }: Setting<string>,
  readFile: (path: string) => Promise<string>,
  findings: Findings,
): Promise<string | undefined> {
  const unexpanded = unexpandedToken(value);
  if (unexpanded !== undefined) {
    findings.addProblem(origin, unexpanded);
    return undefined;
  }
  if (!posix.isAbsolute(value)) return value;
  let contents: string;
  try {
    contents = (await readFile(value)).trim();
  } catch (error) {
    if (isScopeQualified(value)) return value;
    const reason = error instanceof Error ? error.message : 'unknown error';
    findings.addProblem(
      origin,
      `an absolute path is a file with the token's name, but ${value} cannot be read: ${reason}`,
    );
    return undefined;
  }
  if (contents === '') findings.addProblem(origin, `the token file ${value} is empty`);
  return contents === '' ? undefined : contents;
}

/** The message about a token with an unexpanded variable. */
export function unexpandedToken(value: string): string | undefined {
  return /^[~/]/.test(value) ? unexpandedPath(value) : unexpandedValue(value);
}

// Join URIs: address, join method and token in one line.

const JOIN_URI = /^tbot\+(proxy|auth)\+([^:/]+):\/\/([^:@/]*)(?::([^@/]*))?@([^/]+)\/?$/;

/** The settings that `tbot+<proxy|auth>+<join method>://<token>[:<parameter>]@<host>:<port>` names. */
export function readJoinUri(uri: string, origin: Origin, findings: Findings): Settings {
  const [, kind, method, token, parameter = '', address] = JOIN_URI.exec(uri) ?? [];
  const name = token === undefined ? undefined : decode(token);
  if (name === undefined || method === undefined) {
    // The URI may contain a secret parameter, so it is not repeated.
    const form = 'must have the form tbot+proxy+circleci://<token>@<host>:<port>';
    findings.addProblem(origin, unexpandedValue(uri) ?? form);
    return {};
  }
  // Neither method has one. It may be a secret, so it is not repeated.
  if (parameter !== '') findings.warn(`${nameOf(origin)}: the parameter after the name of the token has no effect`);
  return {
    joinMethod: setting(methodIn(method), origin),
    token: setting(name === '' ? undefined : name, origin),
    proxyServer: setting(kind === 'proxy' ? address : undefined, origin),
    authServer: setting(kind === 'auth' ? address : undefined, origin),
  };
}

/** Upstream writes a method's underscores as hyphens, or leaves them out, since a scheme can't hold them. */
function methodIn(word: string): string {
  return word === 'genericoidc' ? 'generic_oidc' : word.replaceAll('-', '_');
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a stray percent sign: not a URI
  }
}
