/** Join URIs: address, join method and token in one line. */
import type { Findings } from './findings.ts';
import type { Origin, Settings } from './settings.ts';
import { setting } from './settings.ts';
import { unexpandedValue } from './unexpanded.ts';

const JOIN_URI = /^tbot\+(proxy|auth)\+([^:/]+):\/\/([^:@/]*)(?::[^@/]*)?@([^/]+)\/?$/;

/** The settings that `tbot+<proxy|auth>+<join method>://<token>[:<parameter>]@<host>:<port>` names. */
export function readJoinUri(uri: string | undefined, origin: Origin, findings: Findings): Settings {
  if (uri === undefined) return {};
  const [, kind, method, token, address] = JOIN_URI.exec(uri) ?? [];
  const name = token === undefined ? undefined : decode(token);
  if (name === undefined || method === undefined) {
    // The URI itself may hold a secret parameter, so that it is not repeated.
    const form = 'must have the form tbot+proxy+circleci://<token>@<host>:<port>';
    findings.refuse(origin, unexpandedValue(uri) ?? form);
    return {};
  }
  return {
    // Upstream writes a method's underscores as hyphens, since a scheme can't hold them.
    joinMethod: setting(method.replaceAll('-', '_'), origin),
    token: setting(name === '' ? undefined : name, origin),
    proxyServer: setting(kind === 'proxy' ? address : undefined, origin),
    authServer: setting(kind === 'auth' ? address : undefined, origin),
  };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a stray percent sign: not a URI
  }
}
