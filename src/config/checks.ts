/** Checks across several outputs or settings. */
import { resolve } from 'node:path';
import { MachineIdError, type Problem } from '../errors.ts';
import type { Destination } from '../schema/destination.ts';
import { isScopeQualified, SCOPES_HINT } from '../teleport/names.ts';
import { type Findings, nameOf, type Origin, type Setting } from './findings.ts';
import { isOutput, type PlacedItem } from './items.ts';
import type { Plan } from './plan.ts';
import type { Settings } from './settings.ts';
import { checkTokenRequest } from './token-request.ts';

/** Where an item is configured. */
type OriginOf = (item: PlacedItem) => Origin;

/** Names must be unique. */
export function refuseDuplicateNames(items: readonly PlacedItem[], placeOf: OriginOf, findings: Findings): void {
  const seen = new Set<string>();
  for (const item of items) {
    if (item.name === undefined) continue;
    if (seen.has(item.name)) findings.addProblem(placeOf(item), `duplicate name: "${item.name}"`);
    seen.add(item.name);
  }
}

/** Two outputs in one place would overwrite each other's files; tbot only logs it. */
export function refuseSharedDestinations(
  storage: Setting<Destination> | undefined,
  items: readonly PlacedItem[],
  { placeOf, workingDirectory }: { readonly placeOf: OriginOf; readonly workingDirectory: string },
  findings: Findings,
): void {
  const takenBy = new Map<string, string>();
  const storageKey = storage === undefined ? undefined : keyOf(storage.value, workingDirectory);
  if (storageKey !== undefined) takenBy.set(storageKey, 'storage');
  // A service is left out of the run and writes nothing.
  for (const item of items.filter(isOutput)) {
    const key = 'destination' in item ? keyOf(item.destination, workingDirectory) : undefined;
    if (key === undefined) continue;
    const other = takenBy.get(key);
    if (other === undefined) takenBy.set(key, item.path);
    else findings.addProblem(placeOf(item), `has the same destination (${key}) as ${other}; each needs its own`);
  }
}

/** Equal for equal destinations; `undefined` for memory, which is never shared. */
function keyOf(destination: Destination, workingDirectory: string): string | undefined {
  switch (destination.type) {
    case 'directory':
      return resolve(workingDirectory, destination.path);
    case 'kubernetes_secret':
      return `secret ${destination.namespace ?? ''}/${destination.name}`;
    case 'memory':
      return undefined;
    default:
      return destination satisfies never;
  }
}

// Settings.

/** The Auth Service issues certificates to a bot for at most this long, whatever its roles allow. */
const MAX_TTL_MS = 7 * 24 * 60 * 60 * 1000;

export function checkSettings(settings: Settings, findings: Findings): void {
  checkTokenRequest(settings, findings);
  checkTrust(settings, findings);
  checkLifetimes(settings, findings);
  if (settings.fips?.value === true) {
    findings.warn(
      `${nameOf(settings.fips.origin)} is on, but only Node.js decides whether cryptography is FIPS-validated`,
    );
  }
}

/** The three are mutually exclusive: each decides what to trust on the first connection. */
function checkTrust({ insecure, caPins, caPath }: Settings, findings: Findings): void {
  if (insecure?.value === true) {
    if (caPins !== undefined)
      findings.addProblem(caPins.origin, 'the option ca-pin is mutually exclusive with --insecure');
    if (caPath !== undefined)
      findings.addProblem(caPath.origin, 'the option ca-path is mutually exclusive with --insecure');
  }
  if (caPins !== undefined && caPath !== undefined) {
    findings.addProblem(caPath.origin, 'the options ca-pin and ca-path are mutually exclusive');
  }
}

function checkLifetimes(
  { credentialTtl, genericOidcTimeout, leeway, renewalInterval }: Settings,
  findings: Findings,
): void {
  for (const duration of [credentialTtl, renewalInterval, leeway, genericOidcTimeout]) {
    if (duration !== undefined && duration.value < 0) findings.addProblem(duration.origin, 'must be positive');
  }
  if (credentialTtl !== undefined && credentialTtl.value > MAX_TTL_MS) {
    findings.warn(
      `${nameOf(credentialTtl.origin)} exceeds the maximum TTL of 7 days (168h); the cluster will shorten it`,
    );
  }
}

// Scoped bots.

/** The settings that request a scoped bot. */
export function scopeRequests(
  scoped: Setting<boolean> | undefined,
  token: { readonly name: string; readonly origin: Origin } | undefined,
): readonly Problem[] {
  return [
    ...(scoped?.value === true ? [request(scoped.origin, 'asks for a scoped bot')] : []),
    ...(token !== undefined && isScopeQualified(token.name)
      ? [request(token.origin, `${JSON.stringify(token.name)} is the name of a scoped join token (<scope>::<name>)`)]
      : []),
  ];
}

/** @throws MachineIdError SCOPES_UNSUPPORTED */
export function refuseScopes({ scopeRequests: problems }: Pick<Plan, 'scopeRequests'>): void {
  if (problems.length === 0) return;
  const [first = '', ...others] = problems.map(({ message }) => message);
  throw new MachineIdError('SCOPES_UNSUPPORTED', first, {
    lines: [...others, 'scoped bots and join tokens are not supported'],
    hint: SCOPES_HINT,
    problems,
  });
}

function request(origin: Origin, what: string): Problem {
  const { line, path } = origin;
  return { path, ...(line === undefined ? {} : { line }), message: `${nameOf(origin)} ${what}` };
}
