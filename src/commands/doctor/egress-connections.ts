/** Tries every connection that a job makes, concurrently. */
import { withDeadline } from '../../effects/time.ts';
import type { Log } from '../../effects/log.ts';
import { type Retries, startRetries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError, type MachineIdError } from '../../errors.ts';
import { type Network, openNetwork } from '../../net/network.ts';
import { probe, type ProbeTarget, resolveHost } from '../../net/probe.ts';
import { unusedProxy } from '../../net/egress-cause.ts';
import { type EgressProxy, type EgressRoute, type Purpose } from '../../net/egress-proxy.ts';
import { downloadAuthorities, type WebTrust } from '../../net/trust.ts';
import { openUpgrades } from '../../teleport/connection-upgrade.ts';
import { openWebApi } from '../../net/web.ts';
import type { Access } from '../../outputs/result.ts';
import { type ClusterFacts, ping } from '../../teleport/ping.ts';
import { dryRun, quietLog, type TrialContext } from './cluster-checks.ts';
import { configChecks, type ConfigFindings, type Settings } from './config-checks.ts';
import { type DownloadUrls, egressEndpoints, type Endpoint } from './egress-endpoints.ts';
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
  /** The HTTP or SOCKS proxy through which it goes. */
  readonly proxy: EgressProxy | undefined;
}

export interface EgressReport {
  /** The address of the Proxy. */
  readonly address: ConfigFindings['address'];
  readonly cluster: ClusterFacts | undefined;
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
  const facts = {
    address,
    useProxyAddr: plan?.useProxyAddr ?? false,
    outputs: config.outputsKnown ? config.outputs : undefined,
    downloads: given.downloads,
    environment: world.environment,
  };
  const atProxy = ({ host }: Endpoint) => host === address?.host;
  const authorities = { web: trust.ca, host: undefined, ...(await publicAuthorities(trust, world)) };
  const network = openNetwork({ ...world, authorities: () => Promise.resolve(trust.ca), timeoutMs: limitMs });
  const prober = startProber(network, limitMs, world.signal);
  // A Proxy that does not respond to discovery does not respond to these either, so both time out concurrently.
  prober.begin(egressEndpoints({ ...facts, cluster: undefined, access: new Map() }).filter(atProxy), authorities);
  const discovered = await discovery(config, network, limitMs, world);
  const found = await lookUpByJoining({ ...config, ...discovered, network }, given, world);
  world.signal.throwIfAborted();
  const endpoints = egressEndpoints({ ...facts, cluster: discovered.cluster, access: found.access });
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
      const proxy = proxyOf(endpoint, network);
      if (probed === undefined) return { ...endpoint, ...unprobed(endpoint), addresses: [], proxy };
      const verdict = withHttpError(endpoint, verdictOf({ ...expected, endpoint }, probed), discovered.error);
      return { ...endpoint, ...withUnusedProxy(endpoint, verdict, network), addresses: probed.addresses, proxy };
    }),
  );
  return { address, cluster: discovered.cluster, notes: notesOf(config, discovered, network), connections };
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
    ...config
  }: ConfigFindings & Discovered & { readonly network: Network },
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
  const { token } = await tokenChecks(oidcToken, world);
  if (plan === undefined || address === undefined) return unknown('the configuration has problems.');
  if (token === undefined) return unknown('there is no valid OIDC token.');
  const limitMs = Math.min(timeoutMs, MAX_DRY_RUN_MS);
  const log = quietLog(plan, world);
  const retries = retriesOf(limitMs, log, world);
  const web = openWebApi({ address, network, trust, retries, signal: world.signal });
  const { environment } = world;
  const upgrades = openUpgrades({ network, trust: () => Promise.resolve(trust), environment });
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
async function publicAuthorities({ ca }: WebTrust, { environment, files }: World) {
  const { AWS_CA_BUNDLE: path = '' } = environment;
  const bundle = path === '' ? undefined : await files.readText(path, { maxBytes: 1024 * 1024 }).catch(() => undefined);
  return { download: ca === undefined ? undefined : downloadAuthorities(ca), aws: bundle };
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

/** Clients of databases, such as psql, connect directly; other programs than Teleport's read the variables as curl does. */
function purposeOf({ certificate, id }: Endpoint): Purpose {
  if (id.startsWith('database')) return 'direct';
  const isOther = certificate === 'download' || certificate === 'aws' || /^(application|kubernetes|telemetry)/.test(id);
  return isOther ? 'https' : 'cluster';
}

function routeOf(endpoint: Endpoint, network: Network): EgressRoute | undefined {
  const { host, port } = endpoint;
  return host === undefined || port === undefined ? undefined : network.route({ host, port }, purposeOf(endpoint));
}

function proxyOf(endpoint: Endpoint, network: Network): EgressProxy | undefined {
  const route = routeOf(endpoint, network);
  return route?.kind === 'proxy' ? route.proxy : undefined;
}

/** A proxy that is configured but not used is the most likely cause of a failure. */
function withUnusedProxy(endpoint: Endpoint, verdict: Verdict, network: Network): Verdict {
  const { host, port } = endpoint;
  const route = routeOf(endpoint, network);
  if (!['closed', 'dropped', 'unresolved'].includes(verdict.result) || host === undefined || port === undefined) {
    return verdict;
  }
  const cause =
    route?.kind === 'direct' && purposeOf(endpoint) !== 'direct' ? unusedProxy(route, { host, port }) : undefined;
  return cause === undefined ? verdict : { ...verdict, detail: `${verdict.detail} Likely cause: ${cause}.` };
}

function resultOf({ cause, code }: MachineIdError): Verdict['result'] {
  if (code === 'TIMEOUT') return 'dropped';
  if (code !== 'PROXY_UNREACHABLE') return 'other';
  // Without a cause, the Proxy was reached but is overloaded or restarting.
  return cause === undefined ? 'open' : 'closed';
}

function notesOf(config: ConfigFindings, { cluster, error }: Discovered, network: Network): readonly string[] {
  const { address, checks, outputsKnown, trust } = config;
  const failed = checks.filter(({ id, state }) => state === 'fail' && id !== 'address');
  return [
    ...(address === undefined ? [] : httpProxyNote(network, address)),
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

function httpProxyNote(network: Network, address: NonNullable<ConfigFindings['address']>): readonly string[] {
  const { detail } = httpProxyCheck(network.route(address, 'cluster'), address);
  return detail === NO_PROXY_SET ? [] : [`HTTP proxy: ${detail}.`];
}

type Probe = ReturnType<typeof probe>;

type Authorities = Readonly<Record<NonNullable<Endpoint['certificate']>, ProbeTarget['tls']['ca']>>;

/** Probes each distinct connection once, for all rows that are the same on the network. */
interface Prober {
  /** Starts the probes that have not been started yet. The result has no endpoints that cannot be tried. */
  begin(endpoints: readonly Endpoint[], authorities: Authorities): ReadonlyMap<Endpoint, Probe>;
}

function startProber(network: Network, limitMs: number, signal: AbortSignal): Prober {
  const lookUps = new Map<string, Promise<readonly string[]>>();
  const begun = new Map<string, Probe>();

  /** Without a proxy, which resolves names itself. */
  function addressesOf(endpoint: Endpoint): Promise<readonly string[]> {
    const { host = '' } = endpoint;
    if (proxyOf(endpoint, network) !== undefined) return Promise.resolve([]);
    const addresses = lookUps.get(host) ?? resolveHost(host);
    addresses.catch(() => undefined); // each probe awaits it and handles the error
    lookUps.set(host, addresses);
    return addresses;
  }

  function probeOf(endpoint: Endpoint, authorities: Authorities): Probe | undefined {
    const target = targetOf(endpoint, authorities);
    if (target === undefined) return undefined;
    const { alpn, certificate, certificateName, host = '', port, protocol, sni } = endpoint;
    const purpose = purposeOf(endpoint);
    const isVerified = target.tls.ca !== undefined;
    const key = JSON.stringify([host, port, protocol, sni, alpn, certificate, certificateName, isVerified, purpose]);
    const addresses = addressesOf(endpoint);
    const attempt = begun.get(key) ?? probe({ ...target, addresses, purpose }, { network, signal, timeoutMs: limitMs });
    attempt.catch(() => undefined); // an interruption may reject it before anything awaits it
    begun.set(key, attempt);
    return attempt;
  }

  return {
    begin: (endpoints, authorities) => {
      const probes = neededFirst(endpoints).map((endpoint) => [endpoint, probeOf(endpoint, authorities)] as const);
      return new Map(probes.flatMap(([endpoint, attempt]) => (attempt === undefined ? [] : [[endpoint, attempt]])));
    },
  };
}

/** Node resolves four names at a time, and the names of downloads may never resolve where mirrors replace them. */
function neededFirst(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const isOptional = ({ need }: Endpoint) => need === 'sometimes';
  return [...endpoints.filter((one) => !isOptional(one)), ...endpoints.filter(isOptional)];
}

function targetOf(
  endpoint: Endpoint,
  authorities: Authorities,
): Omit<ProbeTarget, 'addresses' | 'purpose'> | undefined {
  const { alpn, certificate, certificateName, host, port, protocol, sni, untried } = endpoint;
  if (untried !== undefined || host === undefined || port === undefined || protocol === undefined) return undefined;
  const ca = certificate === undefined ? undefined : authorities[certificate];
  const tls = { alpn, serverName: sni, certificateName: certificateName ?? host, ca };
  return { address: { host, port }, protocol, tls };
}
