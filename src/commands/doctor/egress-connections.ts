/** Tries every connection that a job makes, concurrently. */
import type { ClusterAddress } from '../../config/plan.ts';
import { withDeadline } from '../../effects/time.ts';
import type { Log } from '../../effects/log.ts';
import { type Retries, startRetries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError, type MachineIdError } from '../../errors.ts';
import { type Network, openNetwork } from '../../net/network.ts';
import type { Address } from '../../net/address.ts';
import { unusedProxy } from '../../net/egress-cause.ts';
import type { EgressRoute } from '../../net/egress-proxy.ts';
import type { WebTrust } from '../../net/trust.ts';
import { openUpgrades, type UpgradeFinding, type Upgrades } from '../../teleport/connection-upgrade.ts';
import { openWebApi } from '../../net/web.ts';
import { useOf } from '../../outputs/outputs.ts';
import type { Use } from '../../outputs/output-type.ts';
import type { Access } from '../../outputs/result.ts';
import { reportOfAuthServer } from '../../teleport/auth-ping.ts';
import { findAuthServer, isProxyPort } from '../../teleport/auth-server.ts';
import { type AuthTrust, type AuthVerification, isAboutTrust } from '../../teleport/auth-trust.ts';
import { withGivenAddresses } from '../../teleport/given-address.ts';
import { type ClusterFacts, ping } from '../../teleport/ping.ts';
import { dryRun, quietLog, type TrialContext } from './cluster-checks.ts';
import { configChecks, type ConfigFindings, type Settings } from './config-checks.ts';
import {
  type DirectAuth,
  type DownloadUrls,
  egressEndpoints,
  type EgressFacts,
  type Endpoint,
} from './egress-endpoints.ts';
import { isUpgraded, purposeOf, routeOf, startProber } from './egress-prober.ts';
import { type Verdict, verdictOf } from './egress-verdict.ts';
import { httpProxyCheck, NO_PROXY_SET } from './network-checks.ts';
import { givenAddresses } from './proxy-checks.ts';
import { tokenChecks } from './token-checks.ts';

interface EgressOptions extends Settings {
  readonly downloads: DownloadUrls;
  /** For each connection and each request; at most `MAX_PROBE_MS`. */
  readonly timeoutMs: number;
}

export interface Connection extends Endpoint, Verdict {
  /** What the host name resolves to on this machine; empty if a proxy resolves it. */
  readonly addresses: readonly string[];
  /** Directly, or through an HTTP or SOCKS proxy; undefined if no connection is made. */
  readonly route: EgressRoute | undefined;
  /** Whether it goes inside a connection upgrade. */
  readonly isUpgraded: boolean;
}

export interface EgressReport {
  /** The address of the Proxy: the given one, or the one that the Auth Service reports. */
  readonly address: Address | undefined;
  /** Set if the Auth Service is reached directly. */
  readonly auth: DirectAuth | undefined;
  /** What the Proxy reports. */
  readonly cluster: ClusterFacts | undefined;
  /** Whether a load balancer at that address terminates TLS; undefined if it could not be tested. */
  readonly balancer: UpgradeFinding | undefined;
  /** Further facts that a reader must know. */
  readonly notes: readonly string[];
  readonly connections: readonly Connection[];
}

/** A connection whose packets a firewall drops takes this long. */
const MAX_PROBE_MS = 5000;
/** For the join and the requests for the addresses of resources. */
const MAX_DRY_RUN_MS = 20_000;

/** Rejects only when the signal of the world is aborted. */
export async function checkEgress(given: EgressOptions, world: World): Promise<EgressReport> {
  const limitMs = Math.min(given.timeoutMs, MAX_PROBE_MS);
  const config = await configChecks(given, world);
  const { address, plan, trust } = config;
  const { environment, signal } = world;
  const network = openNetwork({
    ...world,
    authorities: () => Promise.resolve(trust.elsewhere?.()),
    timeoutMs: limitMs,
  });
  const upgrades = openUpgrades({ network, trust: () => Promise.resolve(trust), environment });
  const onNetwork = { network, upgrades, limitMs };
  const facts = {
    outputs: config.outputsKnown ? config.outputs : undefined,
    downloads: given.downloads,
    environment: world.environment,
    terminatesTls: (place: Address) => upgrades.known(place) === true,
  };
  const atAddress = ({ host }: Endpoint) => host === address?.host;
  const authorities = { web: trust.ca, host: undefined, ...(await publicAuthorities(trust, world)) };
  const prober = startProber({ network, upgrades, limitMs, signal });
  const unknown = { ...assumedServer(address), cluster: undefined, access: new Map() };
  // A server that does not respond to discovery does not respond to these either, so all time out concurrently.
  prober.begin(egressEndpoints({ ...facts, ...unknown }).filter(atAddress), authorities);
  const isProxy = unknown.auth === undefined && address !== undefined;
  const [discovered] = await Promise.all([
    discovery(config, onNetwork, world),
    testForBalancers(isProxy ? [address] : [], upgrades, { limitMs, signal }),
  ]);
  const found = await lookUpByJoining({ ...config, ...onNetwork, discovered }, given, world);
  const { auth, proxyAddress } = discovered;
  const cluster =
    discovered.cluster && address && withGivenAddresses(discovered.cluster, givenAddresses(address, plan));
  const known = { ...facts, address: proxyAddress, auth, cluster, access: found.access };
  // Without a cluster, only the address that was tested is known.
  if (cluster !== undefined) {
    await testForBalancers(placesOf(egressEndpoints(known)), upgrades, { limitMs, signal });
  }
  world.signal.throwIfAborted();
  const endpoints = egressEndpoints(known);
  const hostAuthorities = found.authorities ?? auth?.authorities;
  const expected = {
    clusterName: (cluster ?? auth?.cluster)?.clusterName,
    authoritiesKnown: hostAuthorities !== undefined,
    verify: trust.verify,
    limitMs,
  };
  const probes = prober.begin(endpoints, { ...authorities, host: hostAuthorities });
  const connections = await Promise.all(
    endpoints.map(async (endpoint): Promise<Connection> => {
      const probed = await probes.get(endpoint);
      const way = { route: routeOf(endpoint, network), isUpgraded: isUpgraded(endpoint) };
      if (probed === undefined) return { ...endpoint, ...way, ...unprobed(endpoint), addresses: [] };
      const verdict = withLaterError(endpoint, verdictOf({ ...expected, endpoint }, probed), discovered);
      return { ...endpoint, ...way, ...withUnusedProxy(endpoint, verdict, way.route), addresses: probed.addresses };
    }),
  );
  return {
    address: proxyAddress,
    auth,
    cluster,
    balancer: proxyAddress === undefined ? undefined : upgrades.finding(proxyAddress),
    notes: notesOf(config, discovered, { network, upgrades }),
    connections: connections.map((one) => withDroppedName(one, connections)),
  };
}

/** Where it makes a difference whether a load balancer terminates TLS. */
function placesOf(endpoints: readonly Endpoint[]): readonly Address[] {
  return endpoints.flatMap(({ atBalancer, host, port }) =>
    atBalancer === 'passes' || host === undefined || port === undefined ? [] : [{ host, port }],
  );
}

/** Leaves the results in `upgrades`, which tests each address once. */
async function testForBalancers(
  places: readonly Address[],
  upgrades: Upgrades,
  { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const tests = places.map((place) =>
    withDeadline({ waitingFor: 'the server', timeoutMs: limitMs, signal }, (until) => upgrades.needed(place, until)),
  );
  // What cannot be tested in time needs no upgrade, as in a run.
  await Promise.allSettled(tests);
}

/** The connections that the job needs and that are not known to be open. */
export function blockedConnections(connections: readonly Connection[]): readonly Connection[] {
  const isOpen = ({ result }: Connection) => result === 'open' || result === 'none';
  const eitherOpen = connections.some((one) => one.need === 'either' && isOpen(one));
  return connections.filter((one) => !isOpen(one) && (one.need === 'always' || (one.need === 'either' && !eitherOpen)));
}

interface Discovered {
  /** The given address, or the one that the Auth Service reports. */
  readonly proxyAddress: Address | undefined;
  /** What the Proxy reports. */
  readonly cluster: ClusterFacts | undefined;
  /** Why there is no valid response of the Proxy. */
  readonly error: MachineIdError | undefined;
  /** Set if the Auth Service is reached directly, or nothing at the address of `auth_server` responds. */
  readonly auth: DiscoveredAuth | undefined;
}

interface DiscoveredAuth extends DirectAuth {
  /** Undefined if the Auth Service is not trusted. */
  readonly verification: AuthVerification | undefined;
  /** PEM of its authorities, if they are known. */
  readonly authorities: readonly string[] | undefined;
  /** Why it cannot be joined. */
  readonly error: MachineIdError | undefined;
}

interface OnNetwork {
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly limitMs: number;
}

/** What is at the address, unless it says something else. */
function assumedServer(address: ConfigFindings['address']): Pick<EgressFacts, 'address' | 'auth'> {
  return address?.kind === 'auth' && !isProxyPort(address)
    ? { address: undefined, auth: { address, cluster: undefined } }
    : { address, auth: undefined };
}

/** Asks the server at the address for the facts that decide which connections to try. */
async function discovery(config: ConfigFindings, on: OnNetwork, world: World): Promise<Discovered> {
  const { address, outputs, outputsKnown } = config;
  if (address === undefined) return { proxyAddress: undefined, cluster: undefined, error: undefined, auth: undefined };
  const found = address.kind === 'auth' ? await discoverAuth({ ...config, address }, on, world) : undefined;
  if (found === undefined)
    return { proxyAddress: address, auth: undefined, ...(await askProxy(address, config, on, world)) };
  const { proxyAddress, ...auth } = found;
  const isAsked = proxyAddress !== undefined && (!outputsKnown || outputs.some((output) => isAtProxy(useOf(output))));
  const asked = isAsked ? await askProxy(proxyAddress, config, on, world) : { cluster: undefined, error: undefined };
  return { proxyAddress, auth, ...asked };
}

/** Whether later steps connect to the Proxy. */
function isAtProxy(use: Use | undefined): boolean {
  return use !== undefined && use.kind !== 'aws' && (use.kind !== 'ssh' || use.isConfigured);
}

/** A response whose certificate is not trusted is used too: behind a TLS interceptor, the other rows then show what happens to them. */
async function askProxy(
  address: Address,
  { trust }: ConfigFindings,
  { limitMs, network }: OnNetwork,
  world: World,
): Promise<Pick<Discovered, 'cluster' | 'error'>> {
  const pingWith = async (webTrust: WebTrust): Promise<Pick<Discovered, 'cluster' | 'error'>> => {
    const retries = retriesOf(limitMs, NO_LOG, world);
    const web = openWebApi({ address, network, trust: webTrust, retries, signal: world.signal });
    try {
      return { cluster: (await ping(web)).cluster, error: undefined };
    } catch (error) {
      return { cluster: undefined, error: asMachineIdError(error) };
    } finally {
      web.close();
    }
  };
  const first = await pingWith(trust);
  if (first.error?.code !== 'PROXY_UNTRUSTED') return first;
  return { cluster: (await pingWith({ ...trust, verify: false })).cluster, error: first.error };
}

type FoundAuth = DiscoveredAuth & Pick<Discovered, 'proxyAddress'>;

/** Likewise, what an Auth Service reports that is not trusted is used for the table. Undefined if a Proxy is at the address. */
async function discoverAuth(
  config: ConfigFindings & { readonly address: ClusterAddress },
  on: OnNetwork,
  world: World,
): Promise<FoundAuth | undefined> {
  const { address, authTrust } = config;
  const nothing = {
    address,
    cluster: undefined,
    proxyAddress: undefined,
    verification: undefined,
    authorities: undefined,
  };
  try {
    const found = await askAuth(config, authTrust ?? { kind: 'none' }, on, world);
    if (found === undefined) return undefined;
    const { authorities, verify } = found.verification;
    return { ...found, authorities: verify ? authorities : undefined, error: undefined };
  } catch (cause) {
    world.signal.throwIfAborted();
    const error = asMachineIdError(cause);
    // What answers, but is neither, is described as a Proxy.
    const isProxy = isProxyPort(address) || error.code.startsWith('PROXY_');
    if (!isAboutTrust(error)) return isProxy ? undefined : { ...nothing, error };
    const untrusted = await askAuth(config, { kind: 'insecure' }, on, world).catch(() => undefined);
    return { ...nothing, ...untrusted, verification: undefined, error };
  }
}

/** Tries once. */
async function askAuth(
  { address, trust: webTrust }: ConfigFindings & { readonly address: ClusterAddress },
  trust: AuthTrust,
  { limitMs, network }: OnNetwork,
  world: World,
) {
  const { clock, signal } = world;
  const retries = { ...retriesOf(limitMs, NO_LOG, world), run: <T>(attempt: () => Promise<T>) => attempt() };
  const web = openWebApi({ address, network, trust: webTrust, retries, signal });
  try {
    const server = { address, network, retries, signal };
    const verification = await findAuthServer({ ...server, web, trust, clock, log: NO_LOG });
    if (verification === undefined) return undefined;
    return { address, verification, ...(await reportOfAuthServer({ ...server, verification })) };
  } finally {
    web.close();
  }
}

const NO_LOG = { info: () => undefined };

function retriesOf(timeoutMs: number, log: Pick<Log, 'info'>, { clock, random, signal }: World): Retries {
  return startRetries({ timeoutMs, deadlineMs: MAX_DRY_RUN_MS, clock, random, log, signal });
}

interface JoinFindings {
  readonly access: ReadonlyMap<string, Access | string>;
  /** PEM of the cluster's host authorities. */
  readonly authorities: readonly string[] | undefined;
}

/** Joins only for what the cluster reveals in no other way: the addresses of applications and the protocols of databases. */
async function lookUpByJoining(
  {
    address,
    discovered,
    network,
    plan,
    trust,
    upgrades,
    ...config
  }: ConfigFindings & OnNetwork & { readonly discovered: Discovered },
  { oidcToken, timeoutMs }: EgressOptions,
  world: World,
): Promise<JoinFindings> {
  const outputs = config.outputs.filter(({ type }) => type === 'application' || type === 'database');
  const unknown = (reason: string): JoinFindings => ({
    access: new Map(outputs.map(({ path }) => [path, reason])),
    authorities: undefined,
  });
  if (outputs.length === 0) return unknown('');
  const { auth, cluster, error } = discovered;
  const isKnown = auth === undefined ? cluster !== undefined && error === undefined : auth.verification !== undefined;
  const server = auth === undefined ? 'Proxy' : 'Auth Service';
  if (!isKnown) return unknown(`there is no valid response from the ${server}.`);
  const { token } = await tokenChecks(oidcToken, plan?.tokenRequest ?? { joinMethod: 'circleci' }, world);
  if (plan === undefined || address === undefined) return unknown('the configuration has problems.');
  if (token === undefined) return unknown('there is no valid OIDC token.');
  const limitMs = Math.min(timeoutMs, MAX_DRY_RUN_MS);
  const log = quietLog(plan, world);
  const retries = retriesOf(limitMs, log, world);
  const web = openWebApi({ address, network, trust, retries, signal: world.signal });
  const context = {
    plan,
    outputs,
    token,
    network,
    upgrades,
    trust,
    web,
    retries,
    log,
    verification: auth?.verification,
  };
  try {
    return await withDeadline(
      { waitingFor: 'the cluster', timeoutMs: MAX_DRY_RUN_MS, signal: world.signal },
      (signal) => dryRunFindings(context, { ...world, signal }),
    );
  } catch (failure) {
    world.signal.throwIfAborted();
    return unknown(sentence(asMachineIdError(failure)));
  } finally {
    web.close();
  }
}

async function dryRunFindings(context: TrialContext, world: World): Promise<JoinFindings> {
  const { joined, results } = await dryRun(context, world);
  const access = context.outputs.map(({ path }, at): [string, Access | string] => {
    const result = results[at];
    if (result?.status !== 'fulfilled') return [path, sentence(asMachineIdError(result?.reason))];
    return [path, result.value.access ?? 'the cluster does not report it.'];
  });
  return { access: new Map(access), authorities: joined.bot.hostAuthorities };
}

function sentence({ code, message }: MachineIdError): string {
  return `${message.split('\n', 1)[0] ?? ''} [${code}].`;
}

/** The authorities these clients trust: for downloads, the CA file and the built-in list; for AWS, its own variable only. */
async function publicAuthorities({ elsewhere }: WebTrust, { environment, files }: World) {
  const { AWS_CA_BUNDLE: path = '' } = environment;
  const bundle = path === '' ? undefined : await files.readText(path, { maxBytes: 1024 * 1024 }).catch(() => undefined);
  return { download: elsewhere?.(), aws: bundle };
}

function unprobed({ untried }: Endpoint): Verdict {
  return untried === undefined
    ? { result: 'none', detail: 'No connection is made.' }
    : { result: 'untried', detail: untried };
}

/** After a handshake that succeeded, what follows it can still fail or reach another server. */
function withLaterError({ id }: Endpoint, verdict: Verdict, { auth, error: proxyError }: Discovered): Verdict {
  const isHttps = id === 'web-api' || (id === 'registration' && auth === undefined);
  const error = isHttps ? proxyError : id === 'auth-join' ? auth?.error : undefined;
  if (verdict.result !== 'open' || error === undefined) return verdict;
  return { result: resultOf(error), detail: `TLS opens, but ${sentence(error)}` };
}

/** A proxy that is configured but not used is the most likely cause of a failure. */
function withUnusedProxy(endpoint: Endpoint, verdict: Verdict, route: EgressRoute | undefined): Verdict {
  const { host, port } = endpoint;
  if (!['closed', 'dropped', 'unresolved'].includes(verdict.result) || host === undefined || port === undefined) {
    return verdict;
  }
  const cause =
    route?.kind === 'direct' && purposeOf(endpoint) !== 'direct' ? unusedProxy(route, { host, port }) : undefined;
  return cause === undefined ? verdict : { ...verdict, detail: `${verdict.detail} Likely cause: ${cause}.` };
}

/** The same port answers under another server name: only a device that reads the name can make the difference. */
function withDroppedName(one: Connection, all: readonly Connection[]): Connection {
  const { detail, host, isUpgraded: isInside, port, result, sni } = one;
  if ((result !== 'dropped' && result !== 'closed') || sni === undefined || isInside) return one;
  const other = all.find(
    (each) =>
      each.result === 'open' && each.host === host && each.port === port && each.sni !== sni && !each.isUpgraded,
  );
  if (other === undefined) return one;
  const under = other.sni === undefined ? 'without a server name' : `under the name ${other.sni}`;
  const cause = `a firewall filters by server name (SNI): the same port answers ${under}`;
  return { ...one, detail: `${detail} Likely cause: ${cause}.` };
}

function resultOf({ cause, code }: MachineIdError): Verdict['result'] {
  if (code === 'TIMEOUT') return 'dropped';
  if (code !== 'PROXY_UNREACHABLE' && code !== 'AUTH_UNREACHABLE') return 'other';
  // Without a cause, the server was reached but is overloaded or restarting.
  return cause === undefined ? 'open' : 'closed';
}

function notesOf(
  config: ConfigFindings,
  { auth, cluster, error, proxyAddress }: Discovered,
  { network, upgrades }: { readonly network: Network; readonly upgrades: Upgrades },
): readonly string[] {
  const { address, checks, outputsKnown, trust } = config;
  const failed = checks.filter(({ id, state }) => state === 'fail' && id !== 'address');
  const isSilentProxy = cluster === undefined && (auth === undefined ? address !== undefined : error !== undefined);
  return [
    ...(address === undefined ? [] : httpProxyNote(network, address)),
    ...(proxyAddress === undefined ? [] : forcedNote(upgrades.finding(proxyAddress))),
    ...failed.map(({ detail, title }) => `${title}: ${detail.replaceAll('\n', ' ')}`),
    ...(!outputsKnown ? ['The outputs are unknown: the table lists what each output type may need.'] : []),
    ...(address?.kind === 'auth' && auth === undefined && cluster !== undefined
      ? ['auth_server names a Proxy, which is used as one.']
      : []),
    ...authNotes(auth),
    ...(isSilentProxy
      ? ['The Proxy did not report its cluster, version and listeners, so TLS routing is assumed.']
      : []),
    ...(cluster !== undefined && error !== undefined
      ? [
          'The web certificate of the Proxy is not trusted; its response was used only for this table, and no token was sent.',
        ]
      : []),
    ...(trust.verify ? [] : ['insecure is set: certificates are not verified before the join.']),
  ];
}

function authNotes(auth: DiscoveredAuth | undefined): readonly string[] {
  if (auth?.error === undefined) return [];
  return auth.cluster === undefined
    ? ['The Auth Service did not report its cluster and version.']
    : ['The Auth Service is not trusted; its response was used only for this table, and no token was sent.'];
}

function forcedNote(found: UpgradeFinding | undefined): readonly string[] {
  if (found?.by !== 'variable') return [];
  return [`Load balancer: ${found.seen}, so connections are ${found.isNeeded ? '' : 'not '}upgraded without a test.`];
}

function httpProxyNote(network: Network, address: Address): readonly string[] {
  const { detail } = httpProxyCheck(network.route(address, 'cluster'), address);
  return detail === NO_PROXY_SET ? [] : [`HTTP proxy: ${detail}.`];
}
