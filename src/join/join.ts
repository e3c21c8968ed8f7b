/** Becomes the bot through the Proxy: joins the cluster by the join service, or else by the registration endpoint. */
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import type { Clock } from '../effects/time.ts';
import type { Log } from '../effects/log.ts';
import type { Retries } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import type { Address } from '../net/address.ts';
import type { Network } from '../net/network.ts';
import type { WireTrace } from '../net/trace.ts';
import type { WebTrust } from '../net/trust.ts';
import type { WebApi } from '../net/web.ts';
import type { Upgrades } from '../teleport/connection-upgrade.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import { keyAlgorithm } from '../teleport/suite.ts';
import { acceptJoin, type BotIdentity, type JoinedCertificates } from './bot-identity.ts';
import type { JoinFacts } from './facts.ts';
import { genericOidcUnknown, mayKnowGenericOidc } from './generic-oidc.ts';
import { joinByService, type ServiceJoinResult, type UnavailableService } from './join-service.ts';
import { joinLegacy, PROXY_ENDPOINT } from './legacy.ts';

export type JoinPath = 'join-service' | 'legacy';

export interface JoinOptions {
  readonly web: WebApi;
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly trust: WebTrust;
  readonly facts: JoinFacts;
  readonly jwt: Secret;
  /** Requested lifetime of the bot's own certificates. */
  readonly ttlMs: number;
  readonly retries: Retries;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
  /** The result of discovery, which runs in parallel; a rejection ends the join. */
  readonly cluster: Promise<ClusterFacts>;
}

export interface Joined {
  readonly cluster: JoinedCluster;
  /** Where the cluster was joined, and where its Auth Service is called. */
  readonly contact: Contact;
  /**
   * What the Proxy reports about its addresses.
   * @throws MachineIdError if the cluster was joined at the Auth Service, and no Proxy can be asked
   */
  readonly proxy: () => Promise<ClusterFacts>;
  readonly bot: BotIdentity;
  readonly path: JoinPath;
}

export type JoinedCluster = Pick<ClusterFacts, 'clusterName' | 'serverVersion' | 'suite'>;

export type Contact =
  | { readonly kind: 'proxy'; readonly facts: ClusterFacts }
  /** With the address of a Proxy that the Auth Service reports, if any. */
  | { readonly kind: 'auth'; readonly proxyAddress: Address | undefined };

/** Older servers respond "not implemented". */
export const FIRST_MAJOR_WITH_JOIN_SERVICE = 18;

/**
 * If the Proxy has responded to discovery, a silent join service means that something in between does not forward gRPC: a
 * load balancer that speaks HTTP/2 waits for the end of the request, which comes after the first response.
 */
const FIRST_RESPONSE_TIMEOUT_MS = 5000;
/** Far longer than the response of a join service takes that has been asked together with the Proxy. */
const BALANCER_TEST_AFTER_MS = 500;

/**
 * The join service needs no result of discovery, so the two run in parallel. On a cluster that has the service, this
 * saves three round trips; on an older one, the attempt ends as soon as the Proxy has reported its version. Behind a load
 * balancer that terminates TLS, the registration endpoint comes first: it needs no connection upgrade.
 * @throws MachineIdError as discovery, the join and the checks of its response do
 */
export async function joinCluster(options: JoinOptions): Promise<Joined> {
  const isBehindBalancer = options.upgrades.known(options.web.address) === true;
  const attempt = isBehindBalancer ? undefined : startServiceJoin(options);
  let cluster: ClusterFacts;
  try {
    cluster = await options.cluster;
  } catch (error) {
    attempt?.abort();
    throw error;
  }
  const { keyPair, certificates, path } = await join(options, cluster, attempt);
  const bot = acceptJoin(certificates, {
    keyPair,
    clusterName: cluster.clusterName,
    askedMs: expiry(options),
    nowMs: options.clock.nowMs(),
  });
  if (bot.clockNotice !== undefined) options.log.warn(bot.clockNotice);
  const contact = { kind: 'proxy', facts: cluster } as const;
  return { cluster, contact, proxy: () => Promise.resolve(cluster), bot, path };
}

interface JoinOutcome {
  readonly keyPair: KeyPair;
  readonly certificates: JoinedCertificates;
  readonly path: JoinPath;
}

/** @param first undefined if the join service cannot be reached without an upgrade */
async function join(options: JoinOptions, cluster: ClusterFacts, first?: ServiceAttempt): Promise<JoinOutcome> {
  const { clusterName: name, serverVersion } = cluster;
  const facts = { ...options.facts, cluster: { name, version: serverVersion.text } };
  if (first === undefined || serverVersion.major < FIRST_MAJOR_WITH_JOIN_SERVICE) {
    first?.abort();
    return joinAtEndpoint({ ...options, facts }, cluster);
  }
  const attempts = options.retries.hasFailed() && first.wasUnreachable() ? [] : [first];
  // Joining twice is safe: each join is independent.
  return options.retries.run(async () => {
    const result = await outcomeOf(attempts.pop() ?? startServiceJoin(options), options);
    switch (result.kind) {
      case 'joined':
        return { ...result, path: 'join-service' };
      case 'failed':
        throw result.error(facts);
      case 'unavailable':
        options.log.debug(`join service not available (${result.reason}); using the registration endpoint`);
        return joinAtEndpoint({ ...options, facts }, cluster, result);
      default:
        return result satisfies never;
    }
  });
}

/**
 * Without the join service, nothing has shown yet whether ALPN reaches the Proxy, which the next connection depends on: the
 * test runs beside the join.
 * @param service why the join service cannot be used, if the cluster should have one
 */
async function joinAtEndpoint(
  options: JoinOptions,
  cluster: ClusterFacts,
  service?: UnavailableService,
): Promise<JoinOutcome> {
  const { web, jwt, facts, retries, signal, upgrades } = options;
  if (facts.joinMethod === 'generic_oidc') return joinWithoutEndpoint(options, cluster, service);
  const isUpgradeNeeded = upgrades.needed(web.address, signal);
  isUpgradeNeeded.catch(() => undefined); // awaited below, unless the join fails before
  const keyPair = await generateKeyPair(keyAlgorithm(cluster.suite));
  const at = { web, endpoint: PROXY_ENDPOINT };
  const register = () => joinLegacy(at, { facts, jwt, keyPair, expiresAtMs: expiry(options) });
  // The endpoint admits few jobs of one address. If it is busy as well, the next attempt asks the service again.
  const certificates = await (service?.isTransient === true ? register() : retries.run(register));
  if (certificates !== undefined) return { keyPair, certificates, path: 'legacy' };
  const hasService = cluster.serverVersion.major >= FIRST_MAJOR_WITH_JOIN_SERVICE;
  if (hasService && (await isUpgradeNeeded)) return joinUpgraded(options);
  throw noEndpoint(service);
}

/** The registration endpoint does not know the method generic_oidc. */
async function joinWithoutEndpoint(
  options: JoinOptions,
  { serverVersion }: ClusterFacts,
  service?: UnavailableService,
): Promise<JoinOutcome> {
  const { facts, signal, upgrades, web } = options;
  if (serverVersion.major < FIRST_MAJOR_WITH_JOIN_SERVICE) {
    throw genericOidcUnknown(facts, 'there is no join service, which this method needs');
  }
  if (service !== undefined && lacksMethod(service, facts)) throw genericOidcUnknown(facts, service.reason);
  if (await upgrades.needed(web.address, signal)) return joinUpgraded(options);
  throw noService(service);
}

/** Of a newer cluster, something in between may answer instead of the service. */
function lacksMethod({ isTransient, reason }: UnavailableService, facts: JoinFacts): boolean {
  return !isTransient && (!mayKnowGenericOidc(facts) || reason.includes('join method generic_oidc is not implemented'));
}

function joinUpgraded(options: JoinOptions): Promise<JoinOutcome> {
  return options.retries.run(async () => {
    const result = await startServiceJoin(options, options.upgrades).result;
    switch (result.kind) {
      case 'joined':
        return { ...result, path: 'join-service' };
      case 'failed':
        throw result.error(options.facts);
      case 'unavailable':
        if (options.facts.joinMethod === 'circleci') throw noEndpoint(result);
        throw lacksMethod(result, options.facts) ? genericOidcUnknown(options.facts, result.reason) : noService(result);
      default:
        return result satisfies never;
    }
  });
}

function noEndpoint(service: UnavailableService | undefined): MachineIdError {
  if (service === undefined) {
    return new MachineIdError('JOIN_FAILED', 'the Proxy has no registration endpoint', {
      hint: 'Check that the address is the web address of a Teleport Proxy, version 15 or later.',
    });
  }
  return new MachineIdError(
    'JOIN_FAILED',
    `the join service of the Proxy cannot be used (${service.reason}), and the Proxy has no registration endpoint`,
    {
      hint: service.isTransient
        ? 'Run the job again. If the error persists, "doctor --egress" shows what answers instead of the join service.'
        : 'Upgrade the cluster to a version whose join service supports the join method circleci (18.5 or later). If it is such a version, let the load balancer in front of the Proxy pass TLS through (layer 4).',
      transient: service.isTransient ? {} : undefined,
    },
  );
}

function noService(service: UnavailableService | undefined): MachineIdError {
  const reason = service === undefined ? '' : ` (${service.reason})`;
  return new MachineIdError(
    'JOIN_FAILED',
    `the join service of the Proxy cannot be used${reason}, and generic_oidc has no other`,
    {
      hint: 'Run the job again. If the error persists, "doctor --egress" shows what answers instead of the join service: let the load balancer in front of the Proxy pass TLS through (layer 4), or connection upgrades.',
      transient: service?.isTransient === true ? {} : undefined,
    },
  );
}

interface ServiceAttempt {
  readonly result: Promise<ServiceJoinResult>;
  /** Resolves at the first response. */
  readonly answered: Promise<void>;
  /** Whether it has ended already without reaching the service. */
  wasUnreachable(): boolean;
  abort(): void;
}

/** @param upgrades if the connection needs an upgrade */
function startServiceJoin(options: JoinOptions, upgrades?: Upgrades): ServiceAttempt {
  const controller = new AbortController();
  const abort = () => {
    controller.abort(options.signal.reason);
  };
  if (options.signal.aborted) abort();
  options.signal.addEventListener('abort', abort, { once: true });
  const { web, network, trust, facts, jwt, retries, trace } = options;
  let onResponse: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => {
    onResponse = resolve;
  });
  const result = joinByService({
    address: web.address,
    network,
    upgrades,
    onAlpnLost: (seen) => {
      options.upgrades.conclude(web.address, seen);
    },
    nowMs: options.clock.nowMs(),
    trust,
    facts,
    jwt,
    timeoutMs: retries.attemptMs(),
    keyFor: (suite) => generateKeyPair(keyAlgorithm(suite)),
    expiresAtMs: expiry(options),
    onResponse,
    signal: controller.signal,
    trace,
  });
  let unreachable = false;
  result.then(
    (ended) => {
      unreachable = ended.kind === 'unavailable' && ended.isTransient;
    },
    // The caller that needs the result awaits it; an abandoned attempt must not end the process.
    () => undefined,
  );
  return { result, answered, wasUnreachable: () => unreachable, abort };
}

async function outcomeOf(attempt: ServiceAttempt, options: JoinOptions): Promise<ServiceJoinResult> {
  const { clock, signal, upgrades, web } = options;
  const waiting = new AbortController();
  /** Resolves only if a load balancer is the reason for the silence. */
  const balancer = new Promise<'balancer'>((resolve) => {
    clock
      .sleep(BALANCER_TEST_AFTER_MS, waiting.signal)
      .then(() => upgrades.needed(web.address, signal))
      .then((isNeeded) => {
        if (isNeeded) resolve('balancer');
      })
      .catch(() => undefined); // the wait is over, or the run
  });
  const silence = clock.sleep(FIRST_RESPONSE_TIMEOUT_MS, waiting.signal).then(
    () => 'silent',
    () => 'cancelled',
  );
  try {
    const first = await Promise.race([attempt.result, attempt.answered, silence, balancer]);
    if (first !== 'silent' && first !== 'balancer') return await attempt.result;
    attempt.abort();
    const reason =
      first === 'silent'
        ? `no response within ${FIRST_RESPONSE_TIMEOUT_MS / 1000} s`
        : 'a load balancer terminates TLS and does not respond';
    return { kind: 'unavailable', reason, isTransient: true };
  } finally {
    waiting.abort();
  }
}

function expiry({ clock, ttlMs }: JoinOptions): number {
  return clock.nowMs() + ttlMs;
}
