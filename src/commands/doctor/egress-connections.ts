/** Tries every connection that a job makes, concurrently. */
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
import type { Access } from '../../outputs/result.ts';
import { type ClusterFacts, ping } from '../../teleport/ping.ts';
import { dryRun, quietLog, type TrialContext } from './cluster-checks.ts';
import { configChecks, type ConfigFindings, type Settings } from './config-checks.ts';
import { type DownloadUrls, egressEndpoints, type Endpoint } from './egress-endpoints.ts';
import { isUpgraded, purposeOf, routeOf, startProber } from './egress-prober.ts';
import { type Verdict, verdictOf } from './egress-verdict.ts';
import { httpProxyCheck, NO_PROXY_SET } from './network-checks.ts';
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
  /** The address of the Proxy. */
  readonly address: ConfigFindings['address'];
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
  const network = openNetwork({ ...world, authorities: () => Promise.resolve(trust.elsewhere), timeoutMs: limitMs });
  const upgrades = openUpgrades({ network, trust: () => Promise.resolve(trust), environment });
  const facts = {
    address,
    useProxyAddr: plan?.useProxyAddr ?? false,
    outputs: config.outputsKnown ? config.outputs : undefined,
    downloads: given.downloads,
    environment: world.environment,
    terminatesTls: (place: Address) => upgrades.known(place) === true,
  };
  const atProxy = ({ host }: Endpoint) => host === address?.host;
  const authorities = { web: trust.ca, host: undefined, ...(await publicAuthorities(trust, world)) };
  const prober = startProber({ network, upgrades, limitMs, signal });
  const unknown = { cluster: undefined, access: new Map() };
  // A Proxy that does not respond to discovery does not respond to these either, so all time out concurrently.
  prober.begin(egressEndpoints({ ...facts, ...unknown }).filter(atProxy), authorities);
  const [discovered] = await Promise.all([
    discovery(config, network, limitMs, world),
    testForBalancers(address === undefined ? [] : [address], upgrades, { limitMs, signal }),
  ]);
  const found = await lookUpByJoining({ ...config, ...discovered, network, upgrades }, given, world);
  const known = { ...facts, cluster: discovered.cluster, access: found.access };
  // Without a cluster, only the address that was tested is known.
  if (known.cluster !== undefined) {
    await testForBalancers(placesOf(egressEndpoints(known)), upgrades, { limitMs, signal });
  }
  world.signal.throwIfAborted();
  const endpoints = egressEndpoints(known);
  const expected = {
    clusterName: discovered.cluster?.clusterName,
    authoritiesKnown: found.authorities !== undefined,
    verify: trust.verify,
    limitMs,
  };
  const probes = prober.begin(endpoints, { ...authorities, host: found.authorities });
  const connections = await Promise.all(
    endpoints.map(async (endpoint): Promise<Connection> => {
      const probed = await probes.get(endpoint);
      const way = { route: routeOf(endpoint, network), isUpgraded: isUpgraded(endpoint) };
      if (probed === undefined) return { ...endpoint, ...way, ...unprobed(endpoint), addresses: [] };
      const verdict = withHttpError(endpoint, verdictOf({ ...expected, endpoint }, probed), discovered.error);
      return { ...endpoint, ...way, ...withUnusedProxy(endpoint, verdict, way.route), addresses: probed.addresses };
    }),
  );
  return {
    address,
    cluster: discovered.cluster,
    balancer: address === undefined ? undefined : upgrades.finding(address),
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
  readonly cluster: ClusterFacts | undefined;
  /** Why there is no valid response. */
  readonly error: MachineIdError | undefined;
}

/**
 * Asks the Proxy for the facts that decide which connections to try. A response whose certificate is not trusted is used
 * too: behind a TLS interceptor, the other rows then show what happens to them.
 */
async function discovery(
  { address, trust }: ConfigFindings,
  network: Network,
  limitMs: number,
  world: World,
): Promise<Discovered> {
  if (address === undefined) return { cluster: undefined, error: undefined };
  const pingWith = async (webTrust: WebTrust): Promise<Discovered> => {
    const web = openWebApi({
      address,
      network,
      trust: webTrust,
      retries: retriesOf(limitMs, NO_LOG, world),
      signal: world.signal,
    });
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
    cluster,
    error,
    network,
    plan,
    trust,
    upgrades,
    ...config
  }: ConfigFindings & Discovered & { readonly network: Network; readonly upgrades: Upgrades },
  { oidcToken, timeoutMs }: EgressOptions,
  world: World,
): Promise<JoinFindings> {
  const outputs = config.outputs.filter(({ type }) => type === 'application' || type === 'database');
  const unknown = (reason: string): JoinFindings => ({
    access: new Map(outputs.map(({ path }) => [path, reason])),
    authorities: undefined,
  });
  if (outputs.length === 0) return unknown('');
  if (cluster === undefined || error !== undefined) return unknown('there is no valid response from the Proxy.');
  const { token } = await tokenChecks(oidcToken, plan?.tokenRequest ?? { joinMethod: 'circleci' }, world);
  if (plan === undefined || address === undefined) return unknown('the configuration has problems.');
  if (token === undefined) return unknown('there is no valid OIDC token.');
  const limitMs = Math.min(timeoutMs, MAX_DRY_RUN_MS);
  const log = quietLog(plan, world);
  const retries = retriesOf(limitMs, log, world);
  const web = openWebApi({ address, network, trust, retries, signal: world.signal });
  const context = { plan, outputs, token, network, upgrades, trust, web, retries, log };
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
  return { download: elsewhere, aws: bundle };
}

function unprobed({ untried }: Endpoint): Verdict {
  return untried === undefined
    ? { result: 'none', detail: 'No connection is made.' }
    : { result: 'untried', detail: untried };
}

/** After a handshake that succeeded, the HTTPS request can still fail or reach another server. */
function withHttpError({ id }: Endpoint, verdict: Verdict, error: MachineIdError | undefined): Verdict {
  const isHttps = id === 'web-api' || id === 'registration';
  if (!isHttps || verdict.result !== 'open' || error === undefined) return verdict;
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
  if (code !== 'PROXY_UNREACHABLE') return 'other';
  // Without a cause, the Proxy was reached but is overloaded or restarting.
  return cause === undefined ? 'open' : 'closed';
}

function notesOf(
  config: ConfigFindings,
  { cluster, error }: Discovered,
  { network, upgrades }: { readonly network: Network; readonly upgrades: Upgrades },
): readonly string[] {
  const { address, checks, outputsKnown, trust } = config;
  const failed = checks.filter(({ id, state }) => state === 'fail' && id !== 'address');
  return [
    ...(address === undefined ? [] : [...httpProxyNote(network, address), ...forcedNote(upgrades.finding(address))]),
    ...failed.map(({ detail, title }) => `${title}: ${detail.replaceAll('\n', ' ')}`),
    ...(!outputsKnown ? ['The outputs are unknown: the table lists what each output type may need.'] : []),
    ...(address !== undefined && cluster === undefined
      ? ['The Proxy did not report its cluster, version and listeners, so TLS routing is assumed.']
      : []),
    ...(cluster !== undefined && error !== undefined
      ? [
          'The web certificate of the Proxy is not trusted; its response was used only for this table, and no token was sent.',
        ]
      : []),
    ...(trust.verify ? [] : ['insecure is set: web certificates are not verified.']),
  ];
}

function forcedNote(found: UpgradeFinding | undefined): readonly string[] {
  if (found?.by !== 'variable') return [];
  return [`Load balancer: ${found.seen}, so connections are ${found.isNeeded ? '' : 'not '}upgraded without a test.`];
}

function httpProxyNote(network: Network, address: NonNullable<ConfigFindings['address']>): readonly string[] {
  const { detail } = httpProxyCheck(network.route(address, 'cluster'), address);
  return detail === NO_PROXY_SET ? [] : [`HTTP proxy: ${detail}.`];
}
