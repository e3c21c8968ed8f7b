/** `run` with its own engine: this program joins the cluster and writes the outputs. */
import type { Plan, PlannedRun } from '../config/plan.ts';
import type { OidcToken } from '../job/token-request.ts';
import { joinFacts } from '../join/facts.ts';
import { joinAtAuth } from '../join/join-at-auth.ts';
import { joinCluster, type Joined, type JoinedCluster } from '../join/join.ts';
import { formatAddress } from '../net/address.ts';
import { openWebApi, type WebApi } from '../net/web.ts';
import type { RunEnd } from '../outputs/result.ts';
import { refuseRemovedKeys } from '../outputs/supported.ts';
import { failureOfOutputs, makeKeys, writeOutputs } from '../outputs/produce.ts';
import { needsProxy } from '../outputs/outputs.ts';
import type { OutputKeys } from '../outputs/work.ts';
import { findAuthServer } from '../teleport/auth-server.ts';
import type { AuthVerification } from '../teleport/auth-trust.ts';
import { clockDifference, type ClusterFacts, discover, proxyHosts } from '../teleport/ping.ts';
import { guardBot, guardCluster } from './guards.ts';
import { joinPathText } from './run-result.ts';
import { beginTelemetry } from './telemetry.ts';

/**
 * @param onAllowed called once no guard refuses, before anything is written
 * @throws MachineIdError as the join and the connection to the Auth Service do; outputs that fail are in the result
 */
export async function runNatively(run: PlannedRun, token: OidcToken, onAllowed: () => Promise<void>): Promise<RunEnd> {
  const telemetry = await beginTelemetry({ ...run, joinMethod: run.plan.tokenRequest.joinMethod, log: run.journal });
  const { network, plan, world } = run;
  let closeUnused: () => void = () => undefined;
  try {
    // The connection to the Auth Service, while the answer to the join is on its way.
    const { joined, keys } = await join(run, token, () => {
      closeUnused = network.ahead(plan.address, world);
    });
    await onAllowed();
    const results = await writeOutputs(run, joined, keys);
    const { bot, cluster, path: joinPath } = joined;
    return {
      ...serverOf(joined, run.plan),
      cluster: cluster.clusterName,
      clusterVersion: cluster.serverVersion.text,
      bot: bot.botName,
      botInstanceId: bot.botInstanceId,
      engine: 'native',
      joinMethod: run.plan.tokenRequest.joinMethod,
      joinPath,
      ...results,
      failure: failureOfOutputs(results),
    };
  } finally {
    closeUnused();
    telemetry.end();
  }
}

function serverOf(
  { contact }: Joined,
  { address: { host, value } }: Plan,
): Pick<RunEnd, 'auth' | 'proxy' | 'proxyHosts'> {
  if (contact.kind === 'proxy') return { proxy: value, proxyHosts: [host, ...proxyHosts(contact.facts)] };
  const { proxyAddress } = contact;
  return { auth: value, proxy: proxyAddress && formatAddress(proxyAddress) };
}

export interface JoinedWithKeys {
  readonly joined: Joined;
  readonly keys: readonly OutputKeys[];
}

/**
 * Discovery and the join, as the journal shows them.
 * @param onProxy called when the Proxy has answered that it is one
 * @throws MachineIdError as they do
 */
export async function join(
  run: PlannedRun,
  token: OidcToken,
  onProxy: () => void = () => undefined,
): Promise<JoinedWithKeys> {
  const { authTrust, journal, network, plan, retries, trace, trust, world } = run;
  const { clock, signal } = world;
  const { address } = plan;
  const web = openWebApi({ address, network, trust, retries, signal, trace });
  try {
    const search = { address, network, web, retries, clock, log: journal, signal, trace };
    const verification = authTrust && (await findAuthServer({ ...search, trust: authTrust }));
    const found = await (verification === undefined
      ? joinThrough({ web, onProxy }, run, token)
      : joinDirectly(verification, run, token));
    guardBot(plan, found.joined.bot.botName);
    return found;
  } finally {
    web.close();
  }
}

/** The keys of the outputs are generated during the join; discovery determines their type. */
async function joinThrough(
  { onProxy, web }: { readonly web: WebApi; readonly onProxy: () => void },
  run: PlannedRun,
  token: OidcToken,
): Promise<JoinedWithKeys> {
  const cluster = discoverCluster(run, web);
  cluster.then(onProxy, () => undefined); // the join fails for the same reason
  // Only the join of a guarded job waits for discovery: no other cluster gets its token.
  if (run.plan.settings.expectCluster !== undefined) await cluster;
  const keys = cluster.then(({ suite }) => beginKeys(run, suite));
  keys.catch(() => undefined); // without a cluster, the join fails for the same reason
  const joined = await joinStep(run, () => joinCluster({ ...joinOptions(run, token), web, cluster }));
  return { joined, keys: await keys };
}

async function joinDirectly(
  verification: AuthVerification,
  run: PlannedRun,
  token: OidcToken,
): Promise<JoinedWithKeys> {
  const { journal, outputs, plan } = run;
  let onCluster: (cluster: JoinedCluster) => void = () => undefined;
  const known = new Promise<JoinedCluster>((resolve) => {
    onCluster = (cluster) => {
      guardCluster(plan, cluster.clusterName);
      refuseKeysOf(plan, cluster);
      resolve(cluster);
    };
  });
  const keys = journal.step('discovery', () => known, clusterNote).then(({ suite }) => beginKeys(run, suite));
  const target = { address: plan.address, verification, isProxyNeeded: needsProxy(outputs), onCluster };
  const joined = await joinStep(run, () => joinAtAuth({ ...joinOptions(run, token), ...target }));
  return { joined, keys: await keys };
}

function joinOptions(run: PlannedRun, { claims, jwt }: OidcToken) {
  const { journal: log, network, plan, retries, trace, trust, upgrades, world } = run;
  const { clock, signal } = world;
  const facts = joinFacts(plan, claims, clock.nowMs());
  const ttlMs = plan.certificateTtlMs;
  return { network, upgrades, trust, facts, jwt, ttlMs, retries, clock, log, signal, trace };
}

function joinStep({ journal }: PlannedRun, join: () => Promise<Joined>): Promise<Joined> {
  return journal.step('join', join, ({ bot: { botInstanceId, botName: bot }, path: joinPath }) => ({
    facts: { bot, botInstanceId, joinPath },
    message: `joined as bot ${bot} by ${joinPathText(joinPath)}`,
  }));
}

function clusterNote({ clusterName: cluster, serverVersion: { text: clusterVersion } }: JoinedCluster) {
  return { facts: { cluster, clusterVersion }, message: `cluster ${cluster}, Teleport ${clusterVersion}` };
}

function refuseKeysOf(plan: Plan, { clusterName, serverVersion }: JoinedCluster): void {
  refuseRemovedKeys(plan, serverVersion, `the cluster ${clusterName} runs`);
}

async function discoverCluster({ journal, plan, retries, world }: PlannedRun, web: WebApi): Promise<ClusterFacts> {
  const found = await journal.step('discovery', () => discover(web, retries), clusterNote);
  guardCluster(plan, found.clusterName);
  refuseKeysOf(plan, found);
  const difference = clockDifference(found, world.clock.nowMs());
  if (difference !== undefined) journal.warn(difference);
  return found;
}

function beginKeys({ journal, outputs }: PlannedRun, suite: string): readonly OutputKeys[] {
  const keys = makeKeys(outputs, suite);
  const made = keys.flatMap(({ routed, unrouted }) => [unrouted, routed]);
  // A key that cannot be generated fails its output.
  if (made.length > 0) journal.step('keys', () => Promise.all(made)).catch(() => undefined);
  return keys;
}
