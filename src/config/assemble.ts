/** Builds the plan from the settings of all sources, or says what is missing. */
import { refuseDuplicateNames, refuseSharedDestinations } from './check-items.ts';
import { checkSettings } from './check-settings.ts';
import { chooseSettings } from './choose.ts';
import type { Findings } from './findings.ts';
import { splitItems } from './items.ts';
import type { ClusterAddress, Plan } from './plan.ts';
import type { Sources } from './requirements.ts';
import { findAddress, findToken, requireOutput } from './requirements.ts';
import { scopeRequests } from './scopes.ts';
import type { ServiceType } from './service.ts';
import { plainDirectory } from './schema/destination.ts';
import type { Origin, Settings } from './settings.ts';
import { named } from './settings.ts';
import { placeIn } from './source-file.ts';

const MINUTE_MS = 60_000;
const DEFAULT_TTL_MS = 60 * MINUTE_MS;
const DEFAULT_RENEWAL_INTERVAL_MS = 20 * MINUTE_MS;
export const DEFAULT_LEEWAY_MS = MINUTE_MS;
const DEFAULT_STORAGE_PATH = '/var/lib/teleport/bot';

export interface Assembled {
  /** `undefined` only after a fault; with faults in `findings` a run must not follow the plan. */
  readonly plan: Plan | undefined;
  readonly address: ClusterAddress | undefined;
  readonly insecure: boolean;
}

export async function assemblePlan(
  sources: Sources,
  readFile: (path: string) => Promise<string>,
  findings: Findings,
): Promise<Assembled> {
  const settings = chooseSettings([...sources.flags, sources.environment, ...sources.file], findings);
  const address = findAddress(sources, settings, findings);
  const token = await findToken(sources, settings, readFile, findings);
  checkSettings(settings, findings);
  checkItems(sources, settings, findings);
  requireOutput(sources, settings, findings);
  const insecure = settings.insecure?.value ?? false;
  if (address === undefined || token === undefined) return { address, insecure, plan: undefined };

  const lifetimes = {
    ttlMs: settings.ttlMs?.value ?? DEFAULT_TTL_MS,
    renewalIntervalMs: settings.renewalIntervalMs?.value ?? DEFAULT_RENEWAL_INTERVAL_MS,
  };
  const { outputs, services } = splitItems(settings.items?.value ?? [], lifetimes);
  for (const { path, line, type } of services) {
    const { label } = placeIn(sources.fileName ?? '', path, line);
    findings.warn(`${label}: ${path}: ${leftOut(type)}`);
  }
  const plan: Plan = {
    address,
    useProxyAddr: settings.useProxyAddr?.value ?? false,
    token,
    joinMethod: 'circleci',
    scopeRequests: scopeRequests(settings.scoped, settings.token && { name: token, origin: settings.token.origin }),
    caPins: settings.caPins?.value ?? [],
    caPath: settings.caPath?.value,
    insecure,
    fips: settings.fips?.value ?? false,
    storage: settings.storage?.value ?? plainDirectory(DEFAULT_STORAGE_PATH),
    outputs,
    services,
    certificateTtlMs: lifetimes.ttlMs,
    renewalIntervalMs: lifetimes.renewalIntervalMs,
    leewayMs: settings.leewayMs?.value ?? DEFAULT_LEEWAY_MS,
    oneshot: settings.oneshot?.value ?? false,
    debug: settings.debug?.value ?? false,
    logFormat: settings.logFormat?.value ?? 'text',
    diagAddr: settings.diagAddr?.value,
    warnings: findings.warnings,
  };
  return { address, insecure, plan };
}

/** In tbot's words, which it says in its debug log alone, and what to do. */
function leftOut(type: ServiceType): string {
  const ignored = `Service does not support oneshot mode, ignoring ${type}`;
  if (type === 'example') return ignored;
  return `${ignored}: it serves as long as it runs, and this run ends; a later version has the command "tunnel" for it, to be started as a background step`;
}

function checkItems(sources: Sources, { storage, items }: Settings, findings: Findings): void {
  const placeOf = ({ path, line }: { readonly path: string; readonly line: number | undefined }): Origin =>
    path.startsWith('--') ? named(path) : placeIn(sources.fileName ?? '', path, line);
  refuseDuplicateNames(items?.value ?? [], placeOf, findings);
  const { workingDirectory } = sources;
  refuseSharedDestinations(storage, items?.value ?? [], { placeOf, workingDirectory }, findings);
}
