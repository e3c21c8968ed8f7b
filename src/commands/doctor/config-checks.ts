/** Looks at flags, environment and tbot.yaml, and at the address that they name. */
import { refuseScopes } from '../../config/checks.ts';
import { readGivenAddress } from '../../config/choose.ts';
import type { RunFlags } from '../../config/from-flags.ts';
import { type PlanReading, readPlan } from '../../config/load.ts';
import type { ClusterAddress, Plan } from '../../config/plan.ts';
import { sha256Hex } from '../../crypto/validity.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError, type MachineIdError, pluralize } from '../../errors.ts';
import { type Address, formatAddress } from '../../net/address.ts';
import { type WebTrust, webTrust } from '../../net/trust.ts';
import type { Engine } from '../../outputs/journal.ts';
import { type SupportedOutput, supportedOutputs } from '../../outputs/output.ts';
import { caFilePaths } from '../../schema/unexpanded.ts';
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
  /** What can be known, also of a configuration with problems. */
  readonly plan: Plan | undefined;
  /** Those that this version writes. */
  readonly outputs: readonly SupportedOutput[];
  /** Whether these are all that the configuration asks for, and it asks for some. */
  readonly outputsKnown: boolean;
  /** Known also when the rest is invalidKeys, where somebody names it. */
  readonly address: Address | undefined;
  readonly trust: WebTrust;
  /** Why there is nothing to join with; undefined when there is. */
  readonly obstacle: string | undefined;
}

const MAX_INPUT_BYTES = 1024 * 1024;

/** Looks at all that the configuration has, whatever is wrong with the rest of it. */
export async function configChecks(settings: Settings, world: World): Promise<ConfigFindings> {
  const { caFile, engine, flags } = settings;
  const { environment, files, signal, workingDirectory } = world;
  const readText = (path: string) => files.readInput(path, { maxBytes: MAX_INPUT_BYTES, signal });
  const otherPaths = caFilePaths(caFile, environment);
  const inputs = { flags, environment, otherPaths, workingDirectory, readFile: readText };
  const reading = await readPlan(inputs, { outputsNeeded: false });
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
  return {
    checks: [
      configCheck(reading, engine === 'native' ? scopes : undefined),
      ...outputsChecks(reading, unsupported),
      ...(problem === undefined ? [] : [problem]),
      addressCheck(reading.address, address),
    ],
    plan,
    outputs,
    outputsKnown: reading.outputsKnown && (plan?.outputs.length ?? 0) > 0,
    address: typeof address === 'string' ? undefined : address,
    trust,
    obstacle: joinObstacle(plan, scopes !== undefined),
  };
}

function joinObstacle(plan: Plan | undefined, isScoped: boolean): string | undefined {
  if (plan === undefined) return 'the configuration names no join token that can be read';
  return isScoped ? 'the join token is scoped' : undefined;
}

function configCheck({ error, plan }: PlanReading, scopes: MachineIdError | undefined): Check {
  const config = check('config', 'Configuration');
  const failure = error ?? scopes;
  if (failure !== undefined) {
    const { detail } = config.failed(failure);
    const rest = failure.code === 'CONFIG_INVALID' ? ' What does not depend on it is checked below.' : '';
    return config.fail(detail.split('\n'), `${failure.hint.replace(NOTHING_DONE, '')}${rest}`);
  }
  const { outputs = [], token = '', warnings = [] } = plan ?? {};
  const detail = `join token "${token}", ${outputs.length === 0 ? 'no output' : pluralize(outputs.length, 'output')}`;
  if (warnings.length === 0) return config.pass(detail);
  return config.warn([detail, ...warnings], 'Change these places, or leave them: run does as they say.');
}

/** A run ends with a problem; doctor goes on. */
const NOTHING_DONE = /; nothing was contacted and nothing was written/;

function outputsChecks({ outputsKnown, plan }: PlanReading, unsupported: readonly Check[]): readonly Check[] {
  const one = check('outputs', 'Outputs');
  if (unsupported.length > 0) return unsupported;
  if (!outputsKnown) return [one.skip('those with problems are not checked')];
  if ((plan?.outputs.length ?? 0) > 0) return [];
  return plan === undefined ? [] : [one.skip('no output is named: only the join is checked')];
}

/** What cannot be written does not keep the others from being tried. */
function supportedOf(plan: Plan | undefined) {
  if (plan === undefined) return { outputs: [], unsupported: [] };
  const error = refusalOf(() => supportedOutputs(plan));
  const outputs = plan.outputs.flatMap((output) => {
    try {
      return supportedOutputs({ outputs: [output] });
    } catch {
      return []; // among the problems of `error`
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

/** @returns a text when there is an address that cannot be read */
function addressFromInputs(
  { authServer, proxyServer }: RunFlags,
  { TELEPORT_AUTH_SERVER, TELEPORT_PROXY }: World['environment'],
): Address | string | undefined {
  const text = [proxyServer, authServer, TELEPORT_PROXY, TELEPORT_AUTH_SERVER].find(
    (one) => one !== undefined && one !== '',
  );
  return text === undefined ? undefined : readGivenAddress(text);
}

function addressCheck(chosen: ClusterAddress | undefined, address: Address | string | undefined): Check {
  const one = check('address', 'Address');
  if (chosen !== undefined) return one.pass(`${chosen.value} (${chosen.origin})`);
  if (address === undefined) return one.skip('the configuration names no address that can be read');
  if (typeof address === 'string')
    return one.fail(address, "Give host and port of the Proxy's web address, as in the URL of its web UI.");
  return one.pass(formatAddress(address));
}

// Looks at what this program runs on, and at its own bytes.

const OLDEST_NODE_MAJOR = 18;
const MAX_BUNDLE_BYTES = 16 * 1024 * 1024;

type Runtime = Pick<World, 'architecture' | 'bundlePath' | 'environment' | 'files' | 'nodePath' | 'nodeVersion'>;

/** @param version of this program */
export async function programChecks(world: Runtime, version: string): Promise<readonly Check[]> {
  return [nodeCheck(world), await scriptCheck(world, version), orbCheck(world, version)];
}

function nodeCheck({ architecture, files, nodePath, nodeVersion }: Runtime): Check {
  const node = check('node', 'Node.js');
  const detail = `${nodeVersion} for ${files.platform} on ${architecture}, ${nodePath}`;
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1] ?? 0);
  return major >= OLDEST_NODE_MAJOR
    ? node.pass(detail)
    : node.fail(
        detail,
        `Use Node.js ${OLDEST_NODE_MAJOR} or later; install of the orb brings one where there is none.`,
      );
}

async function scriptCheck({ bundlePath, files }: Runtime, version: string): Promise<Check> {
  const script = check('script', 'machine-id.cjs');
  try {
    const text = await files.readText(bundlePath, { maxBytes: MAX_BUNDLE_BYTES });
    return script.pass(`version ${version}, SHA-256 ${sha256Hex(text)}, ${bundlePath}`);
  } catch {
    return script.warn(`version ${version}, but ${bundlePath} cannot be read`, 'Run install of the orb again.');
  }
}

/** The orb's steps say who they are. */
function orbCheck({ environment }: Runtime, version: string): Check {
  const orb = check('orb', 'Orb');
  const { MACHINE_ID_ORB_VERSION: name = '' } = environment;
  if (name === '') return orb.skip('not called by a step of the orb');
  if (name === version) return orb.pass(`teleport/machine-id@${name}`);
  return orb.warn(
    `teleport/machine-id@${name} runs a script of version ${version}`,
    'Let install and the commands after it come from one version of the orb.',
  );
}
