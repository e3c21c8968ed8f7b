/** What no run can do without: an address, a join token, and something to write. */
import type { Fault } from '../errors.ts';
import type { AddressSources } from './choose-address.ts';
import { chooseAddress, readAddress } from './choose-address.ts';
import type { Findings } from './findings.ts';
import { readJoinToken } from './join-token.ts';
import type { ClusterAddress } from './plan.ts';
import type { Origin, Settings } from './settings.ts';
import { named } from './settings.ts';
import { placeIn } from './source-file.ts';

export interface Sources extends AddressSources {
  /** How messages name the file; `undefined` when there is none. */
  readonly fileName: string | undefined;
  /** Top-level keys of the file that could not be read. */
  readonly faulty: ReadonlySet<string> | 'all';
  /** Places of the file that nothing reads and that hold what was meant to be written. */
  readonly strays: readonly Fault[];
  /** Whether nothing to write is a fault. */
  readonly outputsNeeded: boolean;
  /** Absolute; what relative paths start from. */
  readonly workingDirectory: string;
}

/** `undefined` after a fault. */
export function findAddress(sources: Sources, settings: Settings, findings: Findings): ClusterAddress | undefined {
  const chosen = chooseAddress(sources, findings);
  if (settings.useProxyAddr?.value === true && chosen?.value.kind === 'auth') {
    const message = 'requires that a proxy address is set using --proxy-server or proxy_server';
    findings.refuse(settings.useProxyAddr.origin, `TBOT_USE_PROXY_ADDR ${message}`);
  }
  if (chosen !== undefined) return readAddress(chosen, findings);
  if (isReadable(sources, 'proxy_server', 'auth_server', 'join_uri')) {
    const message = 'either a proxy or auth address must be set using --proxy, --auth-server or configuration';
    findings.refuse(missing(sources, 'proxy_server', '--proxy-server'), `${message}; give --proxy-server HOST:PORT`);
  }
  return undefined;
}

/** The token's name; `undefined` after a fault. */
export async function findToken(
  sources: Sources,
  { token }: Settings,
  readFile: (path: string) => Promise<string>,
  findings: Findings,
): Promise<string | undefined> {
  if (token !== undefined) return readJoinToken(token, readFile, findings);
  if (isReadable(sources, 'onboarding', 'join_uri')) {
    const message = 'no join token: name it with onboarding.token, --token or TELEPORT_BOT_TOKEN';
    findings.refuse(missing(sources, 'onboarding.token', '--token'), message);
  }
  return undefined;
}

/**
 * A file without outputs is fine, as in Teleport's own guide; a command line that asks for nothing is not, nor a file
 * whose outputs stand where nothing reads them.
 */
export function requireOutput(sources: Sources, { items }: Settings, findings: Findings): void {
  for (const { line, message, path } of sources.strays) {
    const place = placeIn(sources.fileName ?? '', path, line);
    if (items === undefined) findings.refuse(place, message);
    else findings.warnAt(place, message);
  }
  const isGiven = items !== undefined || sources.fileName !== undefined;
  if (!sources.outputsNeeded || isGiven || findings.hasFaultAt('--destination')) return;
  findings.refuse(named('--destination'), 'nothing to write: give --destination DIR, or a file with --config FILE');
}

/** Whether those keys of the file were read, so that what they don't say is truly missing. */
function isReadable({ faulty }: Sources, ...keys: readonly string[]): boolean {
  return faulty !== 'all' && !keys.some((key) => faulty.has(key));
}

/** Where a person would add what is missing. */
function missing({ fileName }: Sources, key: string, flag: string): Origin {
  return fileName === undefined ? named(flag) : placeIn(fileName, key, undefined);
}
