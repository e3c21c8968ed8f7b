/** Becomes the bot at the Auth Service itself, without a Proxy (protocol reference 2.6). */
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import { sharedController, withDeadline } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import { type GrpcConnection, grpcOver } from '../grpc/client.ts';
import { AuthService } from '../grpc/gen/teleport/legacy/authservice_pb.ts';
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { authFailure, authName } from '../net/failures.ts';
import { oneLine } from '../net/network-error.ts';
import { openWebApi } from '../net/web.ts';
import { authCaller } from '../teleport/auth-call.ts';
import type { AuthVerification } from '../teleport/auth-trust.ts';
import { API_DOMAIN, isClusterName } from '../teleport/names.ts';
import { type ClusterFacts, discover, parseServerVersion } from '../teleport/ping.ts';
import { keyAlgorithm, suiteName } from '../teleport/suite.ts';
import { acceptJoin, type JoinedCertificates } from './bot-identity.ts';
import type { JoinFacts } from './facts.ts';
import { genericOidcUnknown } from './generic-oidc.ts';
import { type Joined, type JoinedCluster, type JoinOptions, type JoinPath } from './join.ts';
import { joinByStream } from './join-service.ts';
import { AUTH_ENDPOINT, joinByRegistration, joinLegacy } from './legacy.ts';

export interface AuthJoinOptions extends Omit<JoinOptions, 'cluster' | 'web'> {
  /** Of the Auth Service. */
  readonly address: Address;
  readonly verification: AuthVerification;
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

/** What `Ping` reports. */
interface Reported {
  readonly cluster: JoinedCluster;
  readonly proxyAddress: Address | undefined;
}

interface JoinedByPath {
  readonly keyPair: KeyPair;
  readonly certificates: JoinedCertificates;
  readonly path: JoinPath;
}

interface Outcome extends Reported {
  /** Undefined if the Auth Service has neither of the methods. */
  readonly joined: JoinedByPath | undefined;
}

/** On one connection: asks for the facts of the cluster, and joins at the same time. */
function attemptJoin(options: AuthJoinOptions, learn: (reported: Reported) => void): Promise<Outcome> {
  const { address, retries, signal: outer } = options;
  const place = { address, isDirect: true };
  const deadline = { waitingFor: authName(place), unreached: address, timeoutMs: retries.attemptMs(), signal: outer };
  return withDeadline(deadline, async (signal) => {
    const connection = await connect(options, signal);
    const joining = sharedController();
    signal.addEventListener('abort', () => {
      joining.abort(signal.reason);
    });
    try {
      const stream = streamJoin(options, connection, joining.signal);
      stream.catch(() => undefined); // awaited below, unless the call fails before
      const reported = await ask(options, connection, signal);
      learn(reported);
      const facts = withCluster(options.facts, reported.cluster);
      const joined = (await stream)(facts) ?? (await register({ ...options, facts }, reported, connection, signal));
      return { ...reported, joined };
    } catch (error) {
      signal.throwIfAborted();
      throw authFailure(place, error);
    } finally {
      joining.abort(new Error('the join is over'));
      connection.close();
    }
  });
}

async function connect(
  { address, network, trace, verification: { authorities: ca, verify } }: AuthJoinOptions,
  signal: AbortSignal,
): Promise<GrpcConnection> {
  const wire = trace?.connection('Auth Service');
  const handshake = { serverName: API_DOMAIN, alpn: ['h2'], signal, wire };
  try {
    const socket = await dialTls({ ...handshake, address, network, verify, ...(verify ? { ca } : {}) });
    return grpcOver(socket, API_DOMAIN, wire);
  } catch (error) {
    signal.throwIfAborted();
    throw authFailure({ address, isDirect: true }, error);
  }
}

async function ask(
  { address, retries }: AuthJoinOptions,
  connection: GrpcConnection,
  signal: AbortSignal,
): Promise<Reported> {
  const place = { address, isDirect: true };
  const call = authCaller({ place, retries, attempts: (attempt) => attempt(), signal });
  const said = await call('Ping', (at) => connection.call(AuthService.ping, {}, at));
  const serverVersion = parseServerVersion(said.serverVersion);
  if (serverVersion === undefined) throw unreadable('version', said.serverVersion);
  if (!isClusterName(said.clusterName)) throw unreadable('name of the cluster', said.clusterName);
  return {
    cluster: { clusterName: said.clusterName, serverVersion, suite: suiteName(said.signatureAlgorithmSuite) },
    proxyAddress: parseAddress(said.proxyPublicAddr, WEB_PORT),
  };
}

const WEB_PORT = 443;

function unreadable(what: string, said: string): MachineIdError {
  return new MachineIdError(
    'RESPONSE_INVALID',
    `the Auth Service reports its ${what} as ${JSON.stringify(oneLine(said))}`,
    {
      hint: 'Check that the address is that of the Auth Service of a cluster, version 15.3.7 or later.',
    },
  );
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
  { cluster }: Reported,
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
      tls: { servername: API_DOMAIN, ALPNProtocols: ['http/1.1'] },
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
  readonly learn: (reported: Reported) => void;
  readonly proxy: () => Promise<ClusterFacts>;
}

/** Reports the cluster once, and asks the Proxy once: beside the join if that is needed, otherwise on demand. */
function startKnowing(options: AuthJoinOptions): Knowledge {
  let reported: Reported | undefined;
  let asked: Promise<ClusterFacts> | undefined;
  const proxy = () => {
    asked ??= askProxy(options, reported?.proxyAddress);
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

/** The connections of later steps depend on whether a load balancer is in front of that Proxy. */
async function askProxy(options: AuthJoinOptions, address: Address | undefined): Promise<ClusterFacts> {
  if (address === undefined) throw noProxy();
  const { retries, signal, upgrades } = options;
  const web = openWebApi({ ...options, address });
  try {
    const facts = await discover(web, retries);
    if (facts.tlsRouting) await upgrades.needed(facts.sshAddress, signal);
    return facts;
  } catch (error) {
    throw error instanceof MachineIdError ? unreachableProxy(address, error) : error;
  } finally {
    web.close();
  }
}

const WITHOUT_SSH = 'An identity output needs no Proxy with "ssh_config: off".';

function noProxy(): MachineIdError {
  return new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    'the files name addresses of the Proxy, but the Auth Service reports the public address of none',
    { hint: `Set public_addr under proxy_service of the Proxy, or join through it: set proxy_server. ${WITHOUT_SSH}` },
  );
}

function unreachableProxy(address: Address, error: MachineIdError): MachineIdError {
  const { cause, code, hint, likelyCauses, message, unreached } = error;
  return new MachineIdError(
    code,
    `the files name addresses that only the Proxy reports, which is at ${formatAddress(address)} according to the Auth Service: ${message}`,
    { hint: `${hint} ${WITHOUT_SSH}`, cause, likelyCauses, unreached },
  );
}
