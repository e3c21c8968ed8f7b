/** Checks the server that `auth_server` names, by the connections that `run` makes there before the join. */
import type { ClusterAddress } from '../../config/plan.ts';
import type { Log } from '../../effects/log.ts';
import type { Retries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError, pluralize } from '../../errors.ts';
import { type Address, formatAddress } from '../../net/address.ts';
import { authFailure } from '../../net/failures.ts';
import type { Network } from '../../net/network.ts';
import type { WireTrace } from '../../net/trace.ts';
import type { WebTrust } from '../../net/trust.ts';
import { openWebApi } from '../../net/web.ts';
import { needsProxy, type SupportedOutput } from '../../outputs/outputs.ts';
import { type AuthReport, reportOfAuthServer } from '../../teleport/auth-ping.ts';
import { findAuthServer } from '../../teleport/auth-server.ts';
import { type AuthTrust, type AuthVerification, isAboutTrust } from '../../teleport/auth-trust.ts';
import type { Upgrades } from '../../teleport/connection-upgrade.ts';
import type { ClusterFacts } from '../../teleport/ping.ts';
import { askReportedProxy } from '../../teleport/reported-proxy.ts';
import { type Check, check } from './check.ts';
import { httpProxyCheck, nameCheck, portCheck } from './network-checks.ts';
import { clusterCheck } from './proxy-checks.ts';
import { directRouteLines, directText, topologyText } from './topology.ts';

export interface AuthServerTarget {
  readonly address: ClusterAddress;
  /** Undefined if the CA file cannot be read. */
  readonly authTrust: AuthTrust | undefined;
  readonly outputs: readonly SupportedOutput[];
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly trust: WebTrust;
  readonly retries: Retries;
  readonly timeoutMs: number;
  readonly log: Log;
  readonly trace: WireTrace | undefined;
}

export type AuthServerFindings =
  | {
      readonly kind: 'proxy';
      /** Its address is then checked as that of any Proxy. */
      readonly checks: readonly Check[];
    }
  | {
      readonly kind: 'auth';
      readonly checks: readonly Check[];
      /** Undefined if the Auth Service cannot be joined. */
      readonly found: FoundAuth | undefined;
      /** Why it cannot be joined; undefined if it can. */
      readonly obstacle: string | undefined;
    };

export interface FoundAuth extends AuthReport {
  readonly verification: AuthVerification;
}

const SERVER = check('auth-server', 'Server');
const CERTIFICATE = check('tls', 'Auth certificate');
const CLUSTER = check('cluster', 'Cluster');
const PROXY = check('proxy', 'Proxy');
const TOPOLOGY = check('topology', 'Topology');

const PROXY_INSTEAD =
  'Set proxy_server (or --proxy-server) instead: tbot 19 refuses the address of a Proxy under auth_server.';

export async function authServerChecks(target: AuthServerTarget, world: World): Promise<AuthServerFindings> {
  const { address, network } = target;
  const server = { ...target, server: 'Auth Service', failure: directFailure } as const;
  const [name, port] = await Promise.all([nameCheck(server, world), portCheck(server, world)]);
  const proxy = httpProxyCheck(network.route(address, 'cluster'), address);
  const stopped = (obstacle: string, ...checks: readonly Check[]): AuthServerFindings => {
    const skipped = [SERVER, CERTIFICATE, CLUSTER, TOPOLOGY].map((one) => one.skipped(obstacle));
    const rest = skipped.filter(({ id }) => !checks.some((done) => done.id === id));
    return { kind: 'auth', found: undefined, obstacle, checks: [name, port, proxy, ...checks, ...rest] };
  };
  if (port.state === 'fail') return stopped('the port cannot be reached');
  let verification: AuthVerification | undefined;
  try {
    verification = await find(target, world);
  } catch (error) {
    return isAboutTrust(asMachineIdError(error))
      ? stopped('the Auth Service is not trusted', isAuthService(address), CERTIFICATE.networkFailed(error, world))
      : stopped('it is not known what is at the address', SERVER.networkFailed(error, world));
  }
  if (verification === undefined) {
    return { kind: 'proxy', checks: [SERVER.warn(`a Proxy is at ${address.value}, and used as one`, PROXY_INSTEAD)] };
  }
  if (target.authTrust === undefined) return stopped('the CA file cannot be read', isAuthService(address));
  try {
    const report = await ask(target, verification, world);
    const checks = [isAuthService(address), trustCheck(target.authTrust), clusterCheck(CLUSTER, report.cluster)];
    const found = { ...report, verification };
    const rest = await proxyAndTopology(target, report, world);
    return { kind: 'auth', found, obstacle: undefined, checks: [name, port, proxy, ...checks, ...rest] };
  } catch (error) {
    const isTrusted = asMachineIdError(error).code !== 'AUTH_UNTRUSTED';
    return isTrusted
      ? stopped('the Auth Service does not respond', isAuthService(address), CLUSTER.networkFailed(error, world))
      : stopped('the Auth Service is not trusted', isAuthService(address), CERTIFICATE.networkFailed(error, world));
  }
}

function directFailure(address: Address, cause: unknown) {
  return authFailure({ address, isDirect: true }, cause);
}

function isAuthService({ value }: ClusterAddress): Check {
  return SERVER.pass(`an Auth Service is at ${value}`);
}

async function find(target: AuthServerTarget, { clock, signal }: World): Promise<AuthVerification | undefined> {
  const { authTrust = { kind: 'insecure' }, log } = target;
  const web = openWebApi({ ...target, signal });
  try {
    // The check reports what is logged in a run.
    const quiet = { ...log, info: () => undefined };
    return await findAuthServer({ ...target, web, trust: authTrust, clock, signal, log: quiet });
  } finally {
    web.close();
  }
}

function ask(target: AuthServerTarget, verification: AuthVerification, { signal }: World): Promise<AuthReport> {
  const server = { ...target, verification, signal };
  return target.retries.run(() => reportOfAuthServer(server));
}

function trustCheck(trust: AuthTrust): Check {
  switch (trust.kind) {
    case 'pins':
      return CERTIFICATE.pass(`signed by the host authority, which matches ${pluralize(trust.pins.length, 'CA pin')}`);
    case 'authorities':
      return CERTIFICATE.pass('signed by the host authority of ca_path');
    case 'insecure':
    case 'none': // never gets here: it is refused
      return CERTIFICATE.warn(
        'not verified: insecure is set',
        'Set ca_pins or ca_path and remove insecure: without verification, anyone on the network path can read everything.',
      );
    default:
      return trust satisfies never;
  }
}

/** The Proxy is asked if a run would ask it. */
async function proxyAndTopology(
  target: AuthServerTarget,
  { proxyAddress }: AuthReport,
  world: World,
): Promise<readonly Check[]> {
  const { address, network, outputs } = target;
  const direct = directText(address);
  const routes = directRouteLines(address, proxyAddress, network);
  if (!needsProxy(outputs)) {
    const unused =
      proxyAddress === undefined ? 'no Proxy' : `the Proxy ${formatAddress(proxyAddress)}, which is not used`;
    return [TOPOLOGY.pass([direct, `it reports ${unused}`, ...routes])];
  }
  let facts: ClusterFacts;
  try {
    facts = await askReportedProxy({ ...target, signal: world.signal }, proxyAddress);
  } catch (error) {
    return [PROXY.networkFailed(error, world), TOPOLOGY.pass([direct, ...routes])];
  }
  const at = proxyAddress === undefined ? '' : formatAddress(proxyAddress);
  return [
    PROXY.pass(`at ${at} according to the Auth Service; the files name its addresses`),
    TOPOLOGY.pass([
      direct,
      `the Proxy that later steps use: ${topologyText(facts, target.upgrades.finding(facts.sshAddress))}`,
      ...routes,
    ]),
  ];
}
