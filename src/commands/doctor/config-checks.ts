/** Checks flags, environment and tbot.yaml, and the address they contain. */
import { refuseScopes } from '../../config/checks.ts';
import { readGivenAddress } from '../../config/choose.ts';
import type { RunFlags } from '../../config/settings.ts';
import { type PlanReading, readPlan } from '../../config/load.ts';
import type { ClusterAddress, Plan } from '../../config/plan.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError, type MachineIdError, pluralize } from '../../errors.ts';
import { formatAddress } from '../../net/address.ts';
import { type WebTrust, webTrust } from '../../net/trust.ts';
import type { Engine } from '../../outputs/result.ts';
import { supportedOutputs } from '../../outputs/supported.ts';
import type { SupportedOutput } from '../../outputs/outputs.ts';
import { caFilePaths } from '../../schema/unexpanded.ts';
import { type AuthTrust, readAuthTrust } from '../../teleport/auth-trust.ts';
import { type Check, check } from './check.ts';

export interface Settings {
  readonly flags: RunFlags;
  readonly caFile: string | undefined;
  /** Name of the variable that holds the OIDC token; undefined for CircleCI's own. */
  readonly oidcToken: string | undefined;
  readonly engine: Engine;
}

export interface ConfigFindings {
  readonly checks: readonly Check[];
  /** The readable part of the configuration, even if other parts are invalid. */
  readonly plan: Plan | undefined;
  /** The outputs that this version supports. */
  readonly outputs: readonly SupportedOutput[];
  /** Whether the configuration lists any outputs and all of them could be read. */
  readonly outputsKnown: boolean;
  /** Known even if the rest is invalid, as long as a flag, a variable or the file has it. */
  readonly address: ClusterAddress | undefined;
  readonly trust: WebTrust;
  /** What to trust at an Auth Service; undefined if the CA file for it cannot be read. */
  readonly authTrust: AuthTrust | undefined;
  /** Why a join is impossible; undefined when it is possible. */
  readonly obstacle: string | undefined;
}

const MAX_INPUT_BYTES = 1024 * 1024;

/** Checks every readable part of the configuration, even if other parts are invalid. */
export async function configChecks(settings: Settings, world: World): Promise<ConfigFindings> {
  const { caFile, engine, flags } = settings;
  const { environment, files, signal, workingDirectory } = world;
  const readText = (path: string) => files.readInput(path, { maxBytes: MAX_INPUT_BYTES, signal });
  const otherPaths = caFilePaths(caFile, environment);
  const inputs = { flags, environment, otherPaths, workingDirectory, readFile: readText };
  const reading = await readPlan(inputs, { outputsNeeded: false, endsCommand: false });
  const { plan } = reading;
  const scopes =
    plan === undefined
      ? undefined
      : refusalOf(() => {
          refuseScopes(plan);
        });
  const { outputs, unsupported } = supportedOf(plan);
  const { trust, problem } = await trustOf(caFile, reading.insecure, world, readText);
  const address = reading.address ?? addressFromInputs(flags, environment);
  const isAuth = typeof address === 'object' && address.kind === 'auth';
  const atAuth = isAuth ? await authTrustOf(reading, readText) : { trust: undefined, problem: undefined };
  return {
    checks: [
      configCheck(reading, engine === 'native' ? scopes : undefined),
      ...outputsChecks(reading, unsupported),
      ...[problem, atAuth.problem].filter((one) => one !== undefined),
      addressCheck(reading.address, address),
    ],
    plan,
    outputs,
    outputsKnown: reading.outputsKnown && (plan?.outputs.length ?? 0) > 0,
    address: typeof address === 'string' ? undefined : address,
    trust,
    authTrust: atAuth.trust,
    obstacle: joinObstacle(plan, scopes !== undefined),
  };
}

function joinObstacle(plan: Plan | undefined, isScoped: boolean): string | undefined {
  if (plan === undefined) return 'the configuration has no readable join token';
  return isScoped ? 'the join token is scoped' : undefined;
}

function configCheck({ error, plan }: PlanReading, scopes: MachineIdError | undefined): Check {
  const config = check('config', 'Configuration');
  const failure = error ?? scopes;
  if (failure !== undefined) {
    const { detail } = config.failed(failure);
    const rest = failure.code === 'CONFIG_INVALID' ? ' The checks below do not depend on it.' : '';
    return config.fail(detail.split('\n'), `${failure.hint}${rest}`);
  }
  const { outputs = [], token = '', warnings = [] } = plan ?? {};
  const detail = `join token "${token}", ${outputs.length === 0 ? 'no output' : pluralize(outputs.length, 'output')}`;
  if (warnings.length === 0) return config.pass(detail);
  return config.warn([detail, ...warnings], 'Change these settings, or ignore this: run behaves as described.');
}

function outputsChecks({ outputsKnown, plan }: PlanReading, unsupported: readonly Check[]): readonly Check[] {
  const one = check('outputs', 'Outputs');
  if (unsupported.length > 0) return unsupported;
  if (!outputsKnown) return [one.skipped('outputs with problems are not checked')];
  if ((plan?.outputs.length ?? 0) > 0) return [];
  return plan === undefined ? [] : [one.skipped('no outputs are configured: only the join is checked')];
}

/** Separates the supported outputs from the others, so that they can be tried. */
function supportedOf(plan: Plan | undefined) {
  if (plan === undefined) return { outputs: [], unsupported: [] };
  const error = refusalOf(() => supportedOutputs(plan));
  const outputs = plan.outputs.flatMap((output) => {
    try {
      return supportedOutputs({ outputs: [output] });
    } catch {
      return []; // `error` lists it
    }
  });
  return { outputs, unsupported: error === undefined ? [] : [check('outputs', 'Outputs').failed(error)] };
}

function refusalOf(act: () => unknown): MachineIdError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return asMachineIdError(error);
  }
}

async function trustOf(
  caFile: string | undefined,
  insecure: boolean,
  world: World,
  readText: (path: string) => Promise<string>,
): Promise<{ trust: WebTrust; problem: Check | undefined }> {
  try {
    return { trust: await webTrust({ ...world, caFile, insecure, readText }), problem: undefined };
  } catch (error) {
    const trust = { ca: undefined, verify: !insecure };
    return { trust, problem: check('ca-file', 'CA file').failed(asMachineIdError(error)) };
  }
}

async function authTrustOf(
  reading: PlanReading,
  readText: (path: string) => Promise<string>,
): Promise<{ trust: AuthTrust | undefined; problem: Check | undefined }> {
  try {
    return { trust: await readAuthTrust(reading, readText), problem: undefined };
  } catch (error) {
    return { trust: undefined, problem: check('ca-path', 'CA path').failed(asMachineIdError(error)) };
  }
}

/** @returns the problem as text when the given address is invalid */
function addressFromInputs(
  { authServer, proxyServer }: RunFlags,
  { TELEPORT_AUTH_SERVER, TELEPORT_PROXY }: World['environment'],
): ClusterAddress | string | undefined {
  const given = [
    { kind: 'proxy', origin: '--proxy-server', text: proxyServer },
    { kind: 'auth', origin: '--auth-server', text: authServer },
    { kind: 'proxy', origin: 'TELEPORT_PROXY', text: TELEPORT_PROXY },
    { kind: 'auth', origin: 'TELEPORT_AUTH_SERVER', text: TELEPORT_AUTH_SERVER },
  ] as const;
  const found = given.find(({ text = '' }) => text !== '');
  if (found === undefined) return undefined;
  const { kind, origin, text = '' } = found;
  const address = readGivenAddress(text);
  if (typeof address === 'string') return address;
  const { host, port } = address;
  return { kind, origin, value: formatAddress(address), host, port };
}

function addressCheck(chosen: ClusterAddress | undefined, address: ClusterAddress | string | undefined): Check {
  const one = check('address', 'Address');
  if (chosen !== undefined) return one.pass(`${chosen.value} (${chosen.origin})`);
  if (address === undefined) return one.skipped('the configuration has no readable address');
  if (typeof address === 'string')
    return one.fail(address, "Set the host and port of the Proxy's web address, as in the URL of its web UI.");
  return one.pass(`${address.value} (${address.origin})`);
}
