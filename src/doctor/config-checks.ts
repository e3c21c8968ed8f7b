/** Looks at flags, environment and tbot.yaml, and at the address that they name. */
import { readGivenAddress } from '../config/address.ts';
import type { RunFlags } from '../config/flags.ts';
import { loadPlan } from '../config/load.ts';
import type { Plan } from '../config/plan.ts';
import { refuseScopes } from '../config/scopes.ts';
import { type SupportedOutput, supportedOutputs } from '../config/supported.ts';
import { caFilePaths } from '../config/unexpanded.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError, counted } from '../errors.ts';
import { type Address, formatAddress } from '../teleport/address.ts';
import { type WebTrust, webTrust } from '../teleport/trust.ts';
import { type Check, check } from './check.ts';

export interface Settings {
  readonly flags: RunFlags;
  readonly caFile: string | undefined;
  /** Name of the variable that holds the OIDC token; undefined for CircleCI's own. */
  readonly oidcToken: string | undefined;
}

export interface ConfigFindings {
  readonly checks: readonly Check[];
  readonly plan: Plan | undefined;
  readonly outputs: readonly SupportedOutput[];
  /** Known also when the rest is faulty, where somebody names it. */
  readonly address: Address | undefined;
  readonly trust: WebTrust;
}

const MAX_INPUT_BYTES = 1024 * 1024;

export async function configChecks({ caFile, flags }: Settings, world: World): Promise<ConfigFindings> {
  const { environment, files, signal, workingDirectory } = world;
  const readText = (path: string) => files.readInput(path, { maxBytes: MAX_INPUT_BYTES, signal });
  const config = check('config', 'Configuration');
  let plan: Plan | undefined;
  const checks: Check[] = [];
  try {
    const otherPaths = caFilePaths(caFile, environment);
    const loaded = await loadPlan({ flags, environment, otherPaths, workingDirectory, readFile: readText });
    refuseScopes(loaded);
    plan = loaded;
    checks.push(planCheck(plan));
  } catch (error) {
    checks.push(config.failed(asMachineIdError(error)));
  }
  const outputs = wanted(plan, checks);
  const { trust, fault } = await trustOf(caFile, plan?.insecure ?? flags.insecure ?? false, world, readText);
  const address = plan?.address ?? givenAddress(flags, environment);
  return {
    checks: [...checks, ...(fault === undefined ? [] : [fault]), addressCheck(plan, address)],
    plan,
    outputs,
    address: typeof address === 'string' ? undefined : address,
    trust,
  };
}

function planCheck({ outputs, token, warnings }: Plan): Check {
  const config = check('config', 'Configuration');
  const detail = `join token "${token}", ${counted(outputs.length, 'output')}`;
  if (warnings.length === 0) return config.pass(detail);
  return config.warn([detail, ...warnings], 'Change these places, or leave them: run does as they say.');
}

function wanted(plan: Plan | undefined, checks: Check[]): readonly SupportedOutput[] {
  if (plan === undefined) return [];
  try {
    return supportedOutputs(plan);
  } catch (error) {
    checks.push(check('outputs', 'Outputs').failed(asMachineIdError(error)));
    return [];
  }
}

async function trustOf(
  caFile: string | undefined,
  insecure: boolean,
  world: World,
  readText: (path: string) => Promise<string>,
): Promise<{ trust: WebTrust; fault: Check | undefined }> {
  try {
    return { trust: await webTrust({ ...world, caFile, insecure, readText }), fault: undefined };
  } catch (error) {
    const trust = { ca: undefined, verify: !insecure };
    return { trust, fault: check('ca-file', 'CA file').failed(asMachineIdError(error)) };
  }
}

/** @returns a text when there is an address that cannot be read */
function givenAddress(
  { authServer, proxyServer }: RunFlags,
  { TELEPORT_AUTH_SERVER, TELEPORT_PROXY }: World['environment'],
): Address | string | undefined {
  const text = [proxyServer, authServer, TELEPORT_PROXY, TELEPORT_AUTH_SERVER].find(
    (one) => one !== undefined && one !== '',
  );
  return text === undefined ? undefined : readGivenAddress(text);
}

function addressCheck(plan: Plan | undefined, address: Address | string | undefined): Check {
  const one = check('address', 'Address');
  if (plan !== undefined) return one.pass(`${plan.address.value} (${plan.address.origin})`);
  if (address === undefined) return one.skip('the configuration names no address that can be read');
  if (typeof address === 'string')
    return one.fail(address, "Give host and port of the Proxy's web address, as in the URL of its web UI.");
  return one.pass(formatAddress(address));
}
