/** Reads flags, environment and tbot.yaml into the plan of one run. */
import { asMachineIdError, type MachineIdError, type Problem } from '../errors.ts';
import type { ConfigLocation } from '../outputs/output.ts';
import type { ServiceType } from '../outputs/unwritten.ts';
import { unexpandedPath } from '../schema/unexpanded.ts';
import { tokenRequestOf } from './token-request.ts';
import { checkSettings, refuseDuplicateNames, refuseSharedDestinations, scopeRequests } from './checks.ts';
import { type AddressSources, chooseAddress, chooseItems, chooseSettings, readAddress } from './choose.ts';
import { Findings, named, type Origin, type Setting } from './findings.ts';
import { readEnvironment } from './from-environment.ts';
import { readFlags } from './from-flags.ts';
import { isTunnel, type PlacedItem, splitItems } from './items.ts';
import { readJoinToken } from './join-token.ts';
import type { ClusterAddress, Plan } from './plan.ts';
import { type Settings, type SettingValues, valuesOf } from './settings.ts';
import { type ConfigText, originIn, type PlanInputs, readConfigText } from './source.ts';

/**
 * The plan, or a `MachineIdError`: `CONFIG_UNREADABLE` when the file is missing, `CONFIG_INVALID` with every problem of
 * file, environment and flags together. Reads a file only when `--config` or `TBOT_CONFIG_PATH` names it.
 */
export async function loadPlan(inputs: PlanInputs): Promise<Plan> {
  const { error, plan } = await readPlan(inputs, { outputsNeeded: true, endsCommand: true });
  if (error !== undefined) throw error;
  return plan ?? failWithoutReason();
}

export interface PlanReading {
  /** As far as it can be read; undefined without an address or a join token. */
  readonly plan: Plan | undefined;
  /** Undefined if none is given that can be read. */
  readonly address: ClusterAddress | undefined;
  readonly insecure: boolean;
  /** Those that can be read, as configured. */
  readonly settings: SettingValues;
  /** Whether all outputs of the configuration could be read. */
  readonly outputsKnown: boolean;
  /** All problems. With an error, the plan must not be executed. */
  readonly error: MachineIdError | undefined;
}

interface ReadOptions {
  /** Whether nothing to write is a problem. */
  readonly outputsNeeded: boolean;
  /** Whether the command ends with the error, having done nothing. */
  readonly endsCommand: boolean;
}

/** Reads as much as can be read. */
export async function readPlan(inputs: PlanInputs, { endsCommand, outputsNeeded }: ReadOptions): Promise<PlanReading> {
  const { flags, environment, otherPaths = {}, tunnelFlags, workingDirectory, readFile } = inputs;
  const findings = new Findings();
  for (const [name, path = ''] of Object.entries(otherPaths)) {
    const refusal = unexpandedPath(path);
    if (refusal !== undefined) findings.addProblem(named(name), refusal);
  }
  const { items: flagItems, layers: flagLayers } = readFlags(flags, findings, tunnelFlags);
  const { settings, addressesExported } = readEnvironment(environment, findings);
  const { error: unreadable, source } = await sourceOf([...flagLayers, settings], readFile, findings);
  // Without a file, the reader of YAML is not loaded.
  const file = source && (await import('./from-file.ts')).readFileSettings(source.text, source.name, findings);
  const invalidKeys = unreadable === undefined ? (file?.invalidKeys ?? new Set<string>()) : 'all';
  const {
    address,
    insecure,
    plan,
    settings: chosen,
  } = await assemblePlan(
    {
      flags: flagLayers,
      environment: settings,
      environmentExported: addressesExported,
      file: file?.layers ?? [],
      items: [flagItems, file?.items],
      fileName: source?.name,
      invalidKeys,
      misplaced: file?.misplaced ?? [],
      wants: tunnelFlags === undefined ? 'outputs' : 'tunnels',
      outputsNeeded: outputsNeeded && unreadable === undefined,
      workingDirectory,
    },
    readFile,
    findings,
  );
  const isOutputRead =
    invalidKeys !== 'all' && !['outputs', 'services', 'destinations'].some((key) => invalidKeys.has(key));
  return {
    plan,
    address,
    insecure,
    settings: chosen,
    outputsKnown: isOutputRead && !findings.hasProblemAt('--destination'),
    error: unreadable ?? (findings.hasProblems ? findings.toError(endsCommand) : undefined),
  };
}

async function sourceOf(
  layers: readonly Settings[],
  readFile: PlanInputs['readFile'],
  findings: Findings,
): Promise<{ readonly source: ConfigText | undefined; readonly error: MachineIdError | undefined }> {
  try {
    return { source: await readConfigText(layers, readFile, findings), error: undefined };
  } catch (error) {
    return { source: undefined, error: asMachineIdError(error) };
  }
}

function failWithoutReason(): never {
  throw new Error('there is no plan, and no problem was reported');
}

// The plan.

const MINUTE_MS = 60_000;
const DEFAULT_TTL_MS = 60 * MINUTE_MS;
const DEFAULT_RENEWAL_INTERVAL_MS = 20 * MINUTE_MS;

interface Sources extends AddressSources {
  /** Outputs and services of the flags, then those of the file. */
  readonly items: readonly (Setting<readonly PlacedItem[]> | undefined)[];
  /** How messages name the file; `undefined` without a file. */
  readonly fileName: string | undefined;
  /** Top-level keys of the file that could not be read. */
  readonly invalidKeys: ReadonlySet<string> | 'all';
  /** Ignored places of the file that contain outputs. */
  readonly misplaced: readonly Problem[];
  /** What the command needs of the configuration. */
  readonly wants: 'outputs' | 'tunnels';
  /** Whether none of them is a problem. */
  readonly outputsNeeded: boolean;
  /** Absolute; relative paths start from it. */
  readonly workingDirectory: string;
}

interface Assembled {
  /** `undefined` only after a problem. With problems in `findings`, the plan must not be executed. */
  readonly plan: Plan | undefined;
  readonly address: ClusterAddress | undefined;
  readonly insecure: boolean;
  readonly settings: SettingValues;
}

async function assemblePlan(
  sources: Sources,
  readFile: (path: string) => Promise<string>,
  findings: Findings,
): Promise<Assembled> {
  const settings = chooseSettings([...sources.flags, sources.environment, ...sources.file], findings);
  const items = chooseItems(sources.items, findings);
  const address = findAddress(sources, settings, findings);
  const token = await findToken(sources, settings, readFile, findings);
  checkSettings(settings, findings);
  checkItems(sources, settings, items, findings);
  requireOutput(sources, items, findings);
  const insecure = settings.insecure?.value ?? false;
  const values = valuesOf(settings);
  if (address === undefined || token === undefined) return { address, insecure, settings: values, plan: undefined };

  const lifetimes = {
    ttlMs: settings.credentialTtl?.value ?? DEFAULT_TTL_MS,
    renewalIntervalMs: settings.renewalInterval?.value ?? DEFAULT_RENEWAL_INTERVAL_MS,
  };
  const { outputs, services, tunnels } = splitItems(items?.value ?? [], lifetimes);
  warnAboutOthers(sources, { services, tunnels }, findings);
  const plan: Plan = {
    address,
    useProxyAddr: settings.useProxyAddr?.value ?? false,
    token,
    tokenRequest: tokenRequestOf(settings),
    scopeRequests: scopeRequests(settings.scoped, settings.token && { name: token, origin: settings.token.origin }),
    insecure,
    outputs: sources.wants === 'outputs' ? outputs : [],
    tunnels,
    services,
    certificateTtlMs: lifetimes.ttlMs,
    renewalIntervalMs: lifetimes.renewalIntervalMs,
    heartbeat: settings.noHeartbeat?.value !== true,
    debug: settings.debug?.value ?? false,
    logFormat: settings.logFormat?.value ?? 'text',
    settings: values,
    warnings: findings.warnings,
  };
  return { address, insecure, settings: values, plan };
}

/** The wording of tbot's debug log, and what to do. The outputs of a file are for other steps than its tunnels. */
function warnAboutOthers(
  { fileName = '', wants }: Sources,
  { services, tunnels }: Pick<Plan, 'services' | 'tunnels'>,
  findings: Findings,
): void {
  const warn = ({ line, path }: ConfigLocation, text: string) => {
    findings.warn(`${originIn(fileName, path, line).label}: ${path}: ${text}`);
  };
  for (const tunnel of wants === 'outputs' ? tunnels : []) {
    warn(
      tunnel,
      `a run opens no ${tunnel.type}: start it in a step with "machine-id tunnel" (the orb command tunnel), which reads the same file`,
    );
  }
  for (const service of services) {
    warn(service, `Service does not support oneshot mode, ignoring ${service.type}${otherService(service.type)}`);
  }
}

function otherService(type: ServiceType): string {
  return type === 'example' ? '' : ': it needs a program that keeps running, which only tbot is';
}

function checkItems(
  sources: Sources,
  { storage }: Settings,
  items: Sources['items'][number],
  findings: Findings,
): void {
  const placeOf = ({ path, line }: { readonly path: string; readonly line: number | undefined }): Origin =>
    path.startsWith('--') ? named(path) : originIn(sources.fileName ?? '', path, line);
  refuseDuplicateNames(items?.value ?? [], placeOf, findings);
  const { workingDirectory } = sources;
  refuseSharedDestinations(storage, items?.value ?? [], { placeOf, workingDirectory }, findings);
}

// What every run requires: an address, a join token, and something to write.

/** `undefined` after a problem. */
function findAddress(sources: Sources, settings: Settings, findings: Findings): ClusterAddress | undefined {
  const chosen = chooseAddress(sources, findings);
  if (settings.useProxyAddr?.value === true && chosen?.value.kind === 'auth') {
    const message = 'requires that a proxy address is set using --proxy-server or proxy_server';
    findings.addProblem(settings.useProxyAddr.origin, `TBOT_USE_PROXY_ADDR ${message}`);
  }
  if (chosen !== undefined) return readAddress(chosen, findings);
  if (isReadable(sources, 'proxy_server', 'auth_server', 'join_uri')) {
    const message = 'either a proxy or auth address must be set using --proxy, --auth-server or configuration';
    findings.addProblem(
      missing(sources, 'proxy_server', '--proxy-server'),
      `${message}; give --proxy-server HOST:PORT`,
    );
  }
  return undefined;
}

/** The token's name; `undefined` after a problem. */
async function findToken(
  sources: Sources,
  { token }: Settings,
  readFile: (path: string) => Promise<string>,
  findings: Findings,
): Promise<string | undefined> {
  if (token !== undefined) return readJoinToken(token, readFile, findings);
  if (isReadable(sources, 'onboarding', 'join_uri')) {
    const message = 'no join token: set onboarding.token, --token or TELEPORT_BOT_TOKEN';
    findings.addProblem(missing(sources, 'onboarding.token', '--token'), message);
  }
  return undefined;
}

/**
 * A file without outputs is valid, as in Teleport's own guide. A command line without outputs is not, nor a file whose
 * outputs are in a place that is ignored.
 */
function requireOutput(sources: Sources, items: Sources['items'][number], findings: Findings): void {
  for (const { line, message, path } of sources.misplaced) {
    const place = originIn(sources.fileName ?? '', path, line);
    if (items === undefined) findings.addProblem(place, message);
    else findings.warnAt(place, message);
  }
  if (sources.wants === 'tunnels') {
    requireTunnel(sources, items, findings);
    return;
  }
  const isGiven = items !== undefined || sources.fileName !== undefined;
  if (!sources.outputsNeeded || isGiven || findings.hasProblemAt('--destination')) return;
  findings.addProblem(named('--destination'), 'nothing to write: give --destination DIR, or a file with --config FILE');
}

function requireTunnel(sources: Sources, items: Sources['items'][number], findings: Findings): void {
  const isUnreadable = !isReadable(sources, 'outputs', 'services');
  if (!sources.outputsNeeded || isUnreadable || items?.value.some(isTunnel) === true) return;
  const advice = 'give --database NAME or --application NAME, or a file with a tunnel under "services"';
  if (findings.hasProblems) return;
  findings.addProblem(missing(sources, 'services', '--database'), `no tunnel to open: ${advice}`);
}

/** Whether these keys of the file could be read, so that a setting without a value is really missing. */
function isReadable({ invalidKeys }: Sources, ...keys: readonly string[]): boolean {
  return invalidKeys !== 'all' && !keys.some((key) => invalidKeys.has(key));
}

/** Where to add what is missing. */
function missing({ fileName }: Sources, key: string, flag: string): Origin {
  return fileName === undefined ? named(flag) : originIn(fileName, key, undefined);
}
