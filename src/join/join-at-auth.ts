/** Becomes the bot at the Auth Service itself, without a Proxy (protocol reference 2.6). */
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import { sharedController } from '../effects/time.ts';
import type { Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import type { GrpcConnection } from '../grpc/client.ts';
import type { Address } from '../net/address.ts';
import { authFailure, authName } from '../net/failures.ts';
import type { WireTrace } from '../net/trace.ts';
import { openWebApi } from '../net/web.ts';
import { type AuthReport, type AuthServer, askAuthServer, atAuthServer, REST_ALPN } from '../teleport/auth-ping.ts';
import { API_DOMAIN } from '../teleport/names.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import { askReportedProxy } from '../teleport/reported-proxy.ts';
import { keyAlgorithm } from '../teleport/suite.ts';
import { acceptJoin, type JoinedCertificates } from './bot-identity.ts';
import type { JoinFacts } from './facts.ts';
import { genericOidcUnknown } from './generic-oidc.ts';
import type { Joined, JoinedCluster, JoinOptions, JoinPath } from './join.ts';
import { joinByStream } from './join-service.ts';
import { AUTH_ENDPOINT, joinByRegistration, joinLegacy } from './legacy.ts';

export interface AuthJoinOptions extends Omit<JoinOptions, 'cluster' | 'web'>, AuthServer {
  readonly retries: Retries;
  readonly trace?: WireTrace | undefined;
  /** Whether something needs the addresses that only a Proxy reports. */
  readonly isProxyNeeded: boolean;
  /** Called once; an error that it throws ends the join. */
  readonly onCluster: (cluster: JoinedCluster) => void;
}

/**
 * Retries according to the policy.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, JOIN_…, RESPONSE_INVALID, TIMEOUT, and as the checks of the response do
 */
export async function joinAtAuth(options: AuthJoinOptions): Promise<Joined> {
  const { clock, log, retries } = options;
  const known = startKnowing(options);
  const outcome = await retries.run(() => attemptJoin(options, known.learn));
  const { cluster, proxyAddress } = outcome;
  const joined = outcome.joined ?? (await joinAtEndpoint(options, outcome));
  const bot = acceptJoin(joined.certificates, {
    keyPair: joined.keyPair,
    clusterName: cluster.clusterName,
    askedMs: clock.nowMs() + options.ttlMs,
    nowMs: clock.nowMs(),
  });
  if (bot.clockNotice !== undefined) log.warn(bot.clockNotice);
  const { path } = joined;
  return { cluster, contact: { kind: 'auth', proxyAddress }, proxy: known.proxy, bot, path };
}

interface JoinedByPath {
  readonly keyPair: KeyPair;
  readonly certificates: JoinedCertificates;
  readonly path: JoinPath;
}

interface Outcome extends AuthReport {
  /** Undefined if the Auth Service has neither of the methods. */
  readonly joined: JoinedByPath | undefined;
}

/** On one connection: asks for the facts of the cluster, and joins at the same time. */
function attemptJoin(options: AuthJoinOptions, learn: (report: AuthReport) => void): Promise<Outcome> {
  return atAuthServer(options, async (connection, signal) => {
    const joining = sharedController();
    signal.addEventListener('abort', () => {
      joining.abort(signal.reason);
    });
    try {
      const stream = streamJoin(options, connection, joining.signal);
      stream.catch(() => undefined); // awaited below, unless the call fails before
      const report = await askAuthServer(options, connection, signal);
      learn(report);
      const facts = withCluster(options.facts, report.cluster);
      const joined = (await stream)(facts) ?? (await register({ ...options, facts }, report, connection, signal));
      return { ...report, joined };
    } finally {
      joining.abort(new Error('the join is over'));
    }
  });
}

function withCluster(facts: JoinFacts, { clusterName: name, serverVersion }: JoinedCluster): JoinFacts {
  return { ...facts, cluster: { name, version: serverVersion.text } };
}

/** Resolves with what to do once the cluster is known: return the result, throw, or register instead. */
async function streamJoin(
  options: AuthJoinOptions,
  connection: GrpcConnection,
  signal: AbortSignal,
): Promise<(facts: JoinFacts) => JoinedByPath | undefined> {
  const { address, clock, facts, jwt, log, ttlMs } = options;
  const result = await joinByStream(
    {
      facts,
      jwt,
      keyFor: (suite) => generateKeyPair(keyAlgorithm(suite)),
      expiresAtMs: clock.nowMs() + ttlMs,
      onResponse: () => undefined,
    },
    connection,
    signal,
  );
  return (known) => {
    switch (result.kind) {
      case 'joined':
        return { ...result, path: 'join-service' };
      case 'failed':
        throw result.error(known);
      case 'unavailable':
        if (result.isTransient) throw unavailable(address, result.reason);
        if (known.joinMethod === 'generic_oidc') throw genericOidcUnknown(known, result.reason);
        log.debug(`join service not available (${result.reason}); registering instead`);
        return undefined;
      default:
        return result satisfies never;
    }
  };
}

function unavailable(address: Address, reason: string): MachineIdError {
  const where = authName({ address, isDirect: true });
  return new MachineIdError('AUTH_UNREACHABLE', `the join service of ${where} does not respond: ${reason}`, {
    hint: 'Run the job again; if the error persists, check the log of the Auth Service at this time.',
    transient: {},
  });
}

async function register(
  options: AuthJoinOptions,
  { cluster }: AuthReport,
  connection: GrpcConnection,
  signal: AbortSignal,
): Promise<JoinedByPath | undefined> {
  const registration = await registrationFor(options, cluster);
  const certificates = await joinByRegistration(connection, registration, signal);
  return certificates && { keyPair: registration.keyPair, certificates, path: 'legacy' };
}

async function registrationFor({ clock, facts, jwt, ttlMs }: AuthJoinOptions, { suite }: JoinedCluster) {
  const keyPair = await generateKeyPair(keyAlgorithm(suite));
  return { facts, jwt, keyPair, expiresAtMs: clock.nowMs() + ttlMs };
}

/** The Auth Service tells HTTP from gRPC by ALPN, so that this needs another connection. */
async function joinAtEndpoint(options: AuthJoinOptions, { cluster }: Outcome): Promise<JoinedByPath> {
  const { address, retries, verification } = options;
  const registration = await registrationFor({ ...options, facts: withCluster(options.facts, cluster) }, cluster);
  const place = { address, isDirect: true };
  const { authorities, verify } = verification;
  const web = openWebApi({
    ...options,
    address,
    trust: { verify, ca: verify ? authorities.join('') : undefined },
    server: {
      name: authName(place),
      failure: (cause) => authFailure(place, cause),
      tls: { servername: API_DOMAIN, ALPNProtocols: [...REST_ALPN] },
    },
  });
  try {
    const certificates = await retries.run(() => joinLegacy({ web, endpoint: AUTH_ENDPOINT }, registration));
    if (certificates !== undefined) return { keyPair: registration.keyPair, certificates, path: 'legacy' };
  } finally {
    web.close();
  }
  throw new MachineIdError('JOIN_FAILED', `${authName(place)} knows none of the ways to join`, {
    hint: 'Check that its version supports the join method circleci (15.3.7 or later).',
  });
}

interface Knowledge {
  readonly learn: (report: AuthReport) => void;
  readonly proxy: () => Promise<ClusterFacts>;
}

/** Reports the cluster once, and asks the Proxy once: beside the join if that is needed, otherwise on demand. */
function startKnowing(options: AuthJoinOptions): Knowledge {
  let reported: AuthReport | undefined;
  let asked: Promise<ClusterFacts> | undefined;
  const proxy = () => {
    asked ??= askReportedProxy(options, reported?.proxyAddress);
    asked.catch(() => undefined); // awaited by the outputs that need it, unless the run fails before
    return asked;
  };
  return {
    proxy,
    learn: (found) => {
      if (reported !== undefined) return;
      reported = found;
      options.onCluster(found.cluster);
      if (options.isProxyNeeded) void proxy();
    },
  };
}
