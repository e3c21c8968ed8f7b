/** Becomes the bot: discovers the cluster and joins it, by the join service or else the legacy endpoint. */
import type { Clock } from '../effects/clock.ts';
import type { Log } from '../effects/log.ts';
import { retry } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import { type ErrorCode, MachineIdError } from '../errors.ts';
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import { discover } from '../teleport/discovery.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import { keyAlgorithm } from '../teleport/suite.ts';
import type { WebTrust } from '../teleport/trust.ts';
import type { WebApi } from '../teleport/web.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';
import { acceptJoin, type BotIdentity, type JoinedCertificates } from './bot-identity.ts';
import { joinByService, type ServiceJoinResult } from './join-service.ts';
import type { JoinFacts } from './join-facts.ts';
import { joinLegacy } from './legacy.ts';

export type JoinPath = 'join-service' | 'legacy';

export interface JoinOptions {
  readonly web: WebApi;
  readonly trust: WebTrust;
  readonly facts: JoinFacts;
  readonly jwt: Secret;
  /** Wanted lifetime of the bot's own certificates. */
  readonly ttlMs: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
  /** Called once, as soon as the Proxy has said what its cluster is. */
  readonly onDiscovered: (cluster: ClusterFacts) => void;
}

export interface Joined {
  readonly cluster: ClusterFacts;
  readonly bot: BotIdentity;
  readonly path: JoinPath;
}

/** The join service came with Teleport 18; asking older servers only yields "not implemented". */
export const FIRST_MAJOR_WITH_JOIN_SERVICE = 18;

/** Pauses before another try at a Proxy that cannot be reached: it may be behind a restarting load balancer. */
const DELAYS_MS = [300, 1000];

/**
 * The join service needs nothing that discovery tells, so both are asked at once: on a cluster that has it this saves
 * three round trips, and on one that hasn't the attempt ends as soon as the Proxy has said its version.
 * @throws MachineIdError as discovery, the join and the checks of its answer do
 */
export async function joinCluster(options: JoinOptions): Promise<Joined> {
  const attempt = startServiceJoin(options);
  let cluster: ClusterFacts;
  try {
    cluster = await patiently(options, 'PROXY_UNREACHABLE', () => discover(options.web));
  } catch (error) {
    attempt.abort();
    throw error;
  }
  options.onDiscovered(cluster);
  const { keyPair, certificates, path } = await join(options, cluster, attempt);
  const bot = acceptJoin(certificates, { keyPair, clusterName: cluster.clusterName, clock: options.clock });
  return { cluster, bot, path };
}

interface JoinAnswer {
  readonly keyPair: KeyPair;
  readonly certificates: JoinedCertificates;
  readonly path: JoinPath;
}

async function join(options: JoinOptions, cluster: ClusterFacts, attempt: ServiceAttempt): Promise<JoinAnswer> {
  const { clusterName: name, serverVersion } = cluster;
  const facts = { ...options.facts, cluster: { name, version: serverVersion.text } };
  if (serverVersion.major >= FIRST_MAJOR_WITH_JOIN_SERVICE) {
    const result = await serviceJoinPatiently(options, facts, attempt);
    if (result.kind === 'joined') return { ...result, path: 'join-service' };
    if (result.kind !== 'unavailable') throw result.error(facts);
    options.log.debug(`join service not available (${result.reason}); using the legacy endpoint`);
  } else {
    attempt.abort();
  }
  const keyPair = await generateKeyPair(keyAlgorithm(cluster.suite));
  const { web, jwt } = options;
  const certificates = await patiently(options, 'PROXY_UNREACHABLE', () =>
    joinLegacy({ web, facts, jwt, keyPair, expiresAtMs: expiry(options) }),
  );
  return { keyPair, certificates, path: 'legacy' };
}

interface ServiceAttempt {
  readonly result: Promise<ServiceJoinResult>;
  abort(): void;
}

function startServiceJoin(options: JoinOptions): ServiceAttempt {
  const controller = new AbortController();
  const abort = () => {
    controller.abort(options.signal.reason);
  };
  options.signal.addEventListener('abort', abort, { once: true });
  const { web, trust, facts, jwt, timeoutMs, trace } = options;
  const result = joinByService({
    address: web.address,
    trust,
    facts,
    jwt,
    timeoutMs,
    keyFor: (suite) => generateKeyPair(keyAlgorithm(suite)),
    expiresAtMs: expiry(options),
    signal: controller.signal,
    trace,
  });
  // Whoever needs the result awaits it; an attempt that was given up must not end the process.
  result.catch(() => undefined);
  return { result, abort };
}

/** A stream that breaks after the first answer is begun anew; what the server answers stays. */
function serviceJoinPatiently(
  options: JoinOptions,
  facts: JoinFacts,
  first: ServiceAttempt,
): Promise<ServiceJoinResult> {
  const attempts = [first];
  return patiently(options, 'JOIN_FAILED', async () => {
    const { result } = attempts.pop() ?? startServiceJoin(options);
    const ended = await result;
    if (ended.kind === 'broken') throw ended.error(facts);
    return ended;
  });
}

/** Joining twice does no harm: each join is one of its own. */
function patiently<T>({ clock, log, signal }: JoinOptions, passing: ErrorCode, work: () => Promise<T>): Promise<T> {
  return retry(work, {
    delaysMs: DELAYS_MS,
    worthAnotherTry: (error) => error instanceof MachineIdError && error.code === passing,
    onRetry: (error, delayMs) => {
      log.info(`${error instanceof Error ? error.message : String(error)}; trying again in ${delayMs} ms`);
    },
    clock,
    signal,
  });
}

function expiry({ clock, ttlMs }: JoinOptions): number {
  return clock.nowMs() + ttlMs;
}
