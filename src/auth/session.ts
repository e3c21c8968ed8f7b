/** The session with the Auth Service: its connections, and the facts that are requested at its start. */
import { privateKeyPem } from '../crypto/keys.ts';
import { type Clock, sharedController } from '../effects/time.ts';
import type { Log } from '../effects/log.ts';
import type { Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import type { BotIdentity } from '../join/bot-identity.ts';
import type { Address } from '../net/address.ts';
import type { Network } from '../net/network.ts';
import { oneLine } from '../net/network-error.ts';
import type { WireTrace } from '../net/trace.ts';
import { connectAuth } from '../teleport/auth-connection.ts';
import { type AuthRoute, type AuthWay, wayText } from '../teleport/auth-route.ts';
import type { Upgrades } from '../teleport/connection-upgrade.ts';
import type { ClusterFacts, ServerVersion } from '../teleport/ping.ts';
import { type AuthApi, authApi, type Authorities, type AuthorityType } from './auth-api.ts';
import { heartbeatApi, type SubmitHeartbeat } from './heartbeat.ts';
import type { Identity } from './issue.ts';
import { type FederationApi, federationApi, type SpiffeApi, spiffeApi } from './spiffe-api.ts';
import { type WorkloadApi, workloadApi } from './workload-api.ts';

/** The Auth Service as one identity sees it. */
export interface AuthSession {
  readonly api: AuthApi;
  readonly workloads: WorkloadApi;
  readonly spiffe: SpiffeApi;
  readonly federation: FederationApi;
  readonly submitHeartbeat: SubmitHeartbeat;
  readonly close: () => void;
}

export interface ClusterSession extends AuthSession {
  /** The way that reached the Auth Service. */
  readonly way: AuthWay;
  /** The same for messages: `the TLS server name …`. */
  readonly wayText: string;
  readonly serverVersion: Promise<ServerVersion>;
  /** Every role that the bot may impersonate. */
  readonly defaultRoles: () => Promise<readonly string[]>;
  readonly authorities: Promise<Authorities>;
  /** A sentence for each leaf cluster that was skipped until now. */
  readonly skippedLeafClusters: () => readonly string[];
  /** Another connection, on which the roles of an output decide what may be seen; the caller closes it. */
  readonly openAs: (identity: Identity) => Promise<AuthSession>;
  /** Begins the connection for the next `openAs`. @returns closes it, if nothing has used it */
  readonly beginConnection: () => () => void;
}

export interface SessionOptions {
  /** The Proxy's web address, or that of the Auth Service. */
  readonly address: Address;
  /** Undefined if the address is that of the Auth Service. */
  readonly proxy: Pick<ClusterFacts, 'sshAddress' | 'tlsRouting'> | undefined;
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly bot: BotIdentity;
  readonly retries: Retries;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  readonly trace?: WireTrace | undefined;
}

/** @throws MachineIdError as connecting does; the promises inside reject as the calls do */
export async function openSession(options: SessionOptions): Promise<ClusterSession> {
  const { address, bot, log, proxy } = options;
  const leaves = trackSkippedLeafClusters(log);
  const shared: Shared = {
    route: { way: proxy === undefined ? 'direct' : undefined },
    onSkippedLeaf: leaves.onSkipped,
  };
  const own = await connectAs(options, shared, { ...bot, authorities: bot.hostAuthorities });
  const way = shared.route.way ?? 'cluster-name';
  const text = wayText(way, { address, clusterName: bot.clusterName });
  log.debug(`the Auth Service was reached with ${text}`);
  const { api } = own;
  const [serverVersion, authorities] = [api.serverVersion(), fetchAuthorities(api)];
  // Each output awaits these, unless an earlier step fails.
  for (const promise of [serverVersion, authorities]) promise.catch(() => undefined);
  let roles: Promise<readonly string[]> | undefined;
  return {
    ...own,
    way,
    wayText: text,
    serverVersion,
    authorities,
    defaultRoles: () => (roles ??= findDefaultRoles(api, bot)),
    skippedLeafClusters: leaves.skipped,
    openAs: async (identity) =>
      connectAs(options, shared, { ...identity, authorities: hostAuthorities(await authorities, bot) }),
    // Only the SSH port is at another address.
    beginConnection: () => (way === 'ssh-port' ? () => undefined : options.network.ahead(address, options)),
  };
}

/** Only what the cluster lists as its host authorities: a join returns them without their types. */
function hostAuthorities({ host }: Authorities, { clusterName }: BotIdentity): readonly string[] {
  return host.filter((one) => one.clusterName === clusterName).flatMap((one) => one.tlsCertificatesPem);
}

/** A leaf cluster has an authority of each type and is listed in each session; one warning is enough. */
function trackSkippedLeafClusters(log: Pick<Log, 'warn'>) {
  const sentences = new Map<string, string>();
  return {
    skipped: () => [...sentences.values()],
    onSkipped: (leaf: string, reason: string) => {
      if (sentences.has(leaf)) return;
      const name = leaf === '' ? 'a leaf cluster without a name' : `the leaf cluster ${JSON.stringify(oneLine(leaf))}`;
      const sentence = `${name} is skipped: ${oneLine(reason)}`;
      sentences.set(leaf, sentence);
      log.warn(sentence);
    },
  };
}

/** What all connections of a run share. */
interface Shared {
  readonly route: AuthRoute;
  readonly onSkippedLeaf: (leaf: string, reason: string) => void;
}

interface Credentials extends Pick<Identity, 'keyPair' | 'tlsCertificatePem'> {
  /** PEM of the authorities that may have signed the certificate of the Auth Service. */
  readonly authorities: readonly string[];
}

/** Closing the session ends pending calls; later calls fail at once. */
async function connectAs(
  options: SessionOptions,
  { onSkippedLeaf, route }: Shared,
  { authorities, keyPair, tlsCertificatePem: certificatePem }: Credentials,
): Promise<AuthSession> {
  const { address, bot, clock, log, network, proxy, retries, signal, trace, upgrades } = options;
  const ended = sharedController();
  const endWithRun = () => {
    ended.abort(signal.reason);
  };
  if (signal.aborted) endWithRun();
  signal.addEventListener('abort', endWithRun, { once: true });
  const connection = await connectAuth({
    address,
    sshAddress: proxy === undefined || proxy.tlsRouting ? undefined : proxy.sshAddress,
    network,
    upgrades,
    clusterName: bot.clusterName,
    authorities,
    certificatePem,
    privateKeyPem: privateKeyPem(keyPair),
    retries,
    signal: ended.signal,
    clock,
    route,
    onOtherWay: (reason) => {
      log.info(reason);
    },
    trace,
  });
  const { attempts } = connection;
  const calls = { place: { address, isDirect: proxy === undefined }, retries, attempts, signal: ended.signal };
  return {
    api: authApi(connection, { ...calls, clusterName: bot.clusterName, onSkippedLeaf }),
    workloads: workloadApi(connection, calls),
    spiffe: spiffeApi(connection, calls),
    federation: federationApi(connection, calls),
    submitHeartbeat: heartbeatApi(connection),
    close: () => {
      signal.removeEventListener('abort', endWithRun);
      ended.abort(new Error('the connection to the Auth Service was closed'));
      connection.close();
    },
  };
}

async function fetchAuthorities(api: AuthApi): Promise<Authorities> {
  const types: AuthorityType[] = ['host', 'user', 'db'];
  const [host = [], user = [], database = []] = await Promise.all(types.map((type) => api.certAuthorities(type)));
  return { host, user, database };
}

/** The user of the bot has one role, with the same name, whose impersonation rule lists the roles of the bot. */
async function findDefaultRoles(api: AuthApi, { userName, botName }: BotIdentity): Promise<readonly string[]> {
  const roles = await api.impersonatedRoles(userName);
  if (roles.length > 0) return roles;
  throw new MachineIdError('ROLE_DENIED', `bot ${botName} has no roles for its outputs`, {
    hint: `Add roles to the bot: "tctl bots update ${botName} --add-roles=ROLE".`,
  });
}
