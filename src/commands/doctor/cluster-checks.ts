/** Tries the join, and each output, without writing anything. */
import { type ClusterSession, openSession } from '../../auth/session.ts';
import type { Plan } from '../../config/plan.ts';
import { utcTime } from '../../crypto/validity.ts';
import { createLog, type Log } from '../../effects/log.ts';
import type { Retries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError, pluralize } from '../../errors.ts';
import { NO_RECORD } from '../../job/manifest.ts';
import type { OidcToken } from '../../job/token-request.ts';
import { joinFacts } from '../../join/facts.ts';
import { joinAtAuth } from '../../join/join-at-auth.ts';
import { joinCluster, type Joined } from '../../join/join.ts';
import type { Network } from '../../net/network.ts';
import type { Upgrades } from '../../teleport/connection-upgrade.ts';
import type { WireTrace } from '../../net/trace.ts';
import type { WebTrust } from '../../net/trust.ts';
import type { WebApi } from '../../net/web.ts';
import { auditQuery } from '../../outputs/bot-instance.ts';
import { openJournal } from '../../outputs/journal.ts';
import { askedProxy, type LostCertificate, lostCertificates } from '../../outputs/lost-certificates.ts';
import type { WrittenOutput } from '../../outputs/result.ts';
import { needsProxy, type SupportedOutput } from '../../outputs/outputs.ts';
import type { AuthVerification } from '../../teleport/auth-trust.ts';
import { makeKeys, tryOutputs } from '../../outputs/produce.ts';
import { discover } from '../../teleport/ping.ts';
import { guardBot } from '../guards.ts';
import { type TokenFile, withVerdict } from '../token-verdict.ts';
import { type Check, check } from './check.ts';

export interface TrialContext {
  readonly plan: Plan;
  readonly outputs: readonly SupportedOutput[];
  readonly token: OidcToken;
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly trust: WebTrust;
  readonly web: WebApi;
  /** Set if the address is that of an Auth Service. */
  readonly verification?: AuthVerification | undefined;
  readonly retries: Retries;
  readonly log: Log;
  readonly trace?: WireTrace | undefined;
  /** To explain a refusal. */
  readonly tokenFile?: TokenFile | undefined;
}

const ALLOW_NAME =
  'Ask the network team to allow the TLS server name *.teleport.cluster.local to the Proxy: without it, each run takes longer.';
const REPAIR_LEAF_CLUSTERS =
  'Remove the trust with these clusters ("tctl rm rc/NAME") or repair their authorities; other jobs are not affected.';

/** The cluster counts the lifetime from its own time of issue. */
const TTL_SLACK_MS = 2 * 60 * 1000;

export async function clusterChecks(context: TrialContext, world: World): Promise<readonly Check[]> {
  const join = check('join', 'Join');
  let joined: Joined;
  try {
    joined = await tryJoin(context, world);
    guardBot(context.plan, joined.bot.botName);
  } catch (error) {
    const explained = withVerdict(asMachineIdError(error), context.tokenFile, context.token, world.clock.nowMs());
    return [join.networkFailed(explained, world), ...withoutJoin(context.outputs, 'the join failed')];
  }
  const { bot, path } = joined;
  const endpoint = path === 'join-service' ? 'the join service' : 'the registration endpoint';
  const { certificateTtlMs, token } = context.plan;
  return [
    join.pass([
      `as bot ${bot.botName} of ${bot.clusterName}, with token "${token}", through ${endpoint}`,
      ...(bot.botInstanceId === undefined
        ? []
        : [`bot instance ${bot.botInstanceId}; audit query: ${auditQuery(bot.botInstanceId)}`]),
    ]),
    lifetimeCheck(bot.expiresAtMs, certificateTtlMs, world.clock.nowMs()),
    ...(await sessionChecks(context, joined, world)),
  ];
}

/** The checks that are skipped without a join. */
export function withoutJoin(outputs: readonly SupportedOutput[], reason: string): readonly Check[] {
  return [
    check('lifetime', 'Certificate lifetime').skipped(reason),
    check('auth', 'Auth Service').skipped(reason),
    check('roles', 'Roles').skipped(reason),
    ...outputs.map((output) => outputCheck(output).skipped(reason)),
  ];
}

function tryJoin(
  { outputs, plan, token, verification, web, ...context }: TrialContext,
  { clock, signal }: World,
): Promise<Joined> {
  const facts = joinFacts(plan, token.claims, clock.nowMs());
  const options = { ...context, facts, jwt: token.jwt, ttlMs: plan.certificateTtlMs, clock, signal };
  const { retries } = context;
  if (verification === undefined) return joinCluster({ ...options, web, cluster: discover(web, retries) });
  const isProxyNeeded = needsProxy(outputs);
  return joinAtAuth({ ...options, address: plan.address, verification, isProxyNeeded, onCluster: () => undefined });
}

function lifetimeCheck(expiresAtMs: number, requestedMs: number, nowMs: number): Check {
  const one = check('lifetime', 'Certificate lifetime');
  const detail = `until ${utcTime(expiresAtMs)}`;
  if (expiresAtMs >= nowMs + requestedMs - TTL_SLACK_MS) return one.pass(detail);
  const [requested, granted] = [requestedMs, expiresAtMs - nowMs].map((durationMs) =>
    pluralize(Math.round(durationMs / 60_000), 'minute'),
  );
  return one.warn(
    `${detail}: requested ${requested ?? ''}, got ${granted ?? ''}`,
    'Raise max_session_ttl of the bot (Teleport 17.4 and later) or of its roles, which limit it, or request less with certificate_ttl.',
  );
}

async function sessionChecks(context: TrialContext, joined: Joined, world: World): Promise<readonly Check[]> {
  const { outputs, plan } = context;
  const auth = check('auth', 'Auth Service');
  let session: ClusterSession;
  try {
    session = await openTrialSession(context, joined, world);
  } catch (error) {
    const [, , ...rest] = withoutJoin(outputs, 'the Auth Service cannot be reached');
    return [auth.networkFailed(error, world), ...rest];
  }
  try {
    const [reached, roles] = await Promise.all([authCheck(session), rolesCheck(session)]);
    return [reached, roles, ...(await outputChecks(context, joined, session, world))];
  } finally {
    session.close();
  }

  async function authCheck({
    authorities,
    serverVersion,
    skippedLeafClusters,
    way,
    wayText,
  }: ClusterSession): Promise<Check> {
    try {
      const { text } = await serverVersion;
      await authorities;
      const skipped = skippedLeafClusters();
      const detail =
        way === 'direct'
          ? `Teleport ${text}, reached directly at ${plan.address.value}`
          : `Teleport ${text}, reached through ${plan.address.value} with ${wayText}`;
      const usesProxyName = way === 'proxy-name';
      if (skipped.length === 0 && !usesProxyName) return auth.pass(detail);
      return auth.warn(
        [detail, ...(usesProxyName ? ["the cluster's own server name was blocked in between"] : []), ...skipped],
        [...(usesProxyName ? [ALLOW_NAME] : []), ...(skipped.length === 0 ? [] : [REPAIR_LEAF_CLUSTERS])].join(' '),
      );
    } catch (error) {
      return auth.failed(asMachineIdError(error));
    }
  }
}

function openTrialSession(
  { log, network, retries, trace, upgrades, web }: TrialContext,
  { bot, contact }: Joined,
  { clock, signal }: World,
): Promise<ClusterSession> {
  const { address } = web;
  const proxy = contact.kind === 'proxy' ? contact.facts : undefined;
  return openSession({ address, proxy, network, upgrades, bot, retries, signal, clock, log, trace });
}

async function rolesCheck(session: ClusterSession): Promise<Check> {
  const one = check('roles', 'Roles');
  try {
    return one.pass((await session.defaultRoles()).join(', '));
  } catch (error) {
    return one.failed(asMachineIdError(error));
  }
}

async function outputChecks(
  context: TrialContext,
  joined: Joined,
  session: ClusterSession,
  world: World,
): Promise<readonly Check[]> {
  const results = await dryRunOutputs(context, joined, session, world);
  const written = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const asked = await askedProxy(joined, context.plan, context.outputs);
  const lost = asked === undefined ? [] : await lostCertificates(written, asked, { ...context, signal: world.signal });
  return context.outputs.map((output, at) => {
    const result = results[at];
    const one = outputCheck(output);
    if (result === undefined) return one.skipped('not tried');
    if (result.status === 'rejected') return one.networkFailed(result.reason, world);
    const loss = lost.find(({ path }) => path === output.path);
    return succeeded(output, result.value, loss);
  });
}

function dryRunOutputs(
  { log, network, outputs: configured, plan, retries, trace, upgrades }: TrialContext,
  joined: Joined,
  session: ClusterSession,
  world: World,
): ReturnType<typeof tryOutputs> {
  const outputs = configured.map((output) => ({ ...output, destination: { type: 'memory' } as const }));
  // The checks report what a run tells on its way.
  const journal = { ...openJournal(world.clock, () => log), outputDone: () => undefined };
  const run = {
    world,
    journal,
    network,
    upgrades,
    caFile: undefined,
    plan,
    outputs,
    retries,
    trace,
    record: NO_RECORD,
  };
  return tryOutputs({ run, joined, session }, makeKeys(outputs, joined.cluster.suite));
}

export interface DryRunResult {
  readonly joined: Joined;
  /** In the order of the outputs. */
  readonly results: Awaited<ReturnType<typeof tryOutputs>>;
}

/**
 * Joins and requests what `run` would write, without writing it.
 * @throws MachineIdError if the join or the connection fails
 */
export async function dryRun(context: TrialContext, world: World): Promise<DryRunResult> {
  const joined = await tryJoin(context, world);
  const session = await openTrialSession(context, joined, world);
  try {
    return { joined, results: await dryRunOutputs(context, joined, session, world) };
  } finally {
    session.close();
  }
}

/** Drops the messages that `run` logs: the checks report the same. */
export function quietLog({ debug, logFormat: format }: Plan, { clock, stderr }: World): Log {
  return { ...createLog(stderr, { format, debug, nowMs: () => clock.nowMs() }), info: () => undefined };
}

function succeeded(
  output: SupportedOutput,
  { access, expiresAtMs, logins, notices, roles }: WrittenOutput,
  loss: LostCertificate | undefined,
): Check {
  const one = outputCheck(output);
  const detail = [
    ...(access === undefined ? [] : [resourceOf(access)]),
    ...(roles.length === 0 ? [] : [`roles ${roles.join(', ')}`]),
    ...(logins === undefined ? [] : [`logins ${logins.join(', ') || '(none)'}`]),
    `until ${utcTime(expiresAtMs)}`,
  ].join('; ');
  if (loss !== undefined) return one.warn([detail, loss.text, ...notices], loss.fix);
  if (notices.length === 0) return one.pass(detail);
  const noLogin = logins?.length === 0 ? 'To use ssh, add a login to a role or to the bot as described above. ' : '';
  return one.warn([detail, ...notices], `${noLogin}Ignore this if it is enough for the job.`);
}

function resourceOf(access: NonNullable<WrittenOutput['access']>): string {
  switch (access.kind) {
    case 'application':
      return `application ${access.name} at ${access.address}`;
    case 'aws':
      return `AWS role ${access.role}`;
    case 'database':
      return `database ${access.name} (${access.protocol})`;
    default:
      return access satisfies never;
  }
}

function outputCheck({ path, type }: SupportedOutput) {
  return check(`output:${path}`, `${type} (${path})`);
}
