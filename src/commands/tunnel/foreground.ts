/** Runs tunnels in this process, until a signal ends it. */
import { openSession } from '../../auth/session.ts';
import type { PlannedRun } from '../../config/plan.ts';
import { pause, type ResponseHeaders } from '../../effects/retry.ts';
import { sharedController } from '../../effects/time.ts';
import { MachineIdError, pluralize } from '../../errors.ts';
import type { Background } from '../../job/background-work.ts';
import { obtainFreshToken } from '../../job/fresh-token.ts';
import type { OidcToken } from '../../job/token-request.ts';
import type { Joined } from '../../join/join.ts';
import { formatAddress } from '../../net/address.ts';
import { openWebApi } from '../../net/web.ts';
import { sendHeartbeat } from '../../outputs/heartbeat.ts';
import { type Bot, openBot } from '../../tunnels/bot.ts';
import { openTunnels, type ReadyTunnel } from '../../tunnels/engine.ts';
import { HEALTH_POLICY, type ProxyHealth, watchProxy } from '../../tunnels/proxy-health.ts';
import type { ProxyAccess } from '../../tunnels/upstream.ts';
import { reportOf, type TunnelsReport } from '../../tunnels/status.ts';
import { findToken, openRunJournal } from '../run.ts';
import { readConfiguration } from '../run-configuration.ts';
import { join } from '../run-natively.ts';
import type { TunnelArguments } from './flags.ts';

/** @throws MachineIdError if a tunnel does not become ready; otherwise the reason of the signal that ends the tunnels */
export async function runTunnels(given: TunnelArguments, { ready, report, world }: Background): Promise<void> {
  const controller = sharedController();
  const { signal } = controller;
  const end = () => {
    controller.abort(world.signal.reason);
  };
  if (world.signal.aborted) end();
  world.signal.addEventListener('abort', end, { once: true });
  try {
    const within = { ...given, deadlineMs: Math.min(given.deadlineMs, given.readyTimeoutMs) };
    const journal = openRunJournal(world);
    const run = await readConfiguration(within, journal, { ...world, signal }, given.tunnelFlags);
    const opened = await open(within, run);
    await ready(reportNow(opened, run));
    journal.info(`${pluralize(opened.tunnels.length, 'tunnel')} ready`);
    await keepReporting(opened, run, report);
  } finally {
    // Ends what still runs if a tunnel has not become ready.
    controller.abort(new Error('the tunnels have ended'));
    world.signal.removeEventListener('abort', end);
  }
}

interface Opened {
  readonly tunnels: readonly ReadyTunnel[];
  readonly bot: Bot;
  readonly health: ProxyHealth;
  readonly proxyAddress: string;
}

function reportNow(opened: Opened, { world: { clock } }: PlannedRun): TunnelsReport {
  return reportOf({ ...opened, nowMs: clock.nowMs() });
}

/** How old the status may be. */
const REPORT_EVERY_MS = 1000;

/** @throws the signal's reason */
async function keepReporting(opened: Opened, run: PlannedRun, report: Background['report']): Promise<never> {
  const { clock, signal } = run.world;
  let last = '';
  for (;;) {
    await pause(REPORT_EVERY_MS, clock, signal);
    const current = reportNow(opened, run);
    const text = JSON.stringify(current);
    if (text === last) continue;
    last = text;
    await report(current, current.tunnels.find(({ problem }) => problem !== undefined)?.problem);
  }
}

async function open(given: TunnelArguments, run: PlannedRun): Promise<Opened> {
  const { journal, plan, record, world } = run;
  const { clock, files, signal } = world;
  const startMs = clock.elapsedMs();
  const token = await findToken(given, run);
  const { joined } = await join(run, token);
  const bot = botOf(given, run, { joined, token });
  await bot.withSession(({ session }) => sendHeartbeat(run, joined, session));
  const proxy = await proxyOf(run, joined);
  const health = healthOf(run, proxy);
  const { maxConnections } = given;
  const { tunnels } = plan;
  const readyTimeoutMs = Math.max(given.readyTimeoutMs - (clock.elapsedMs() - startMs), LEAST_READY_MS);
  const limits = { maxConnections, readyTimeoutMs };
  const engine = { ...limits, tunnels, bot, proxy, health, clock, files, program: world, record, log: journal, signal };
  return { tunnels: await openTunnels(engine), bot, health, proxyAddress: formatAddress(proxy.address) };
}

/** What is left for the tunnels after a slow join. */
const LEAST_READY_MS = 1000;

/** Later joins have a new OIDC token, and their own deadline. */
function botOf(
  { oidcToken: variable }: TunnelArguments,
  run: PlannedRun,
  { joined, token }: { readonly joined: Joined; readonly token: OidcToken },
): Bot {
  const { journal: log, network, plan, retries, trace, upgrades, world } = run;
  const { clock, signal } = world;
  return openBot({
    joined,
    join: async () => {
      const again = { ...run, retries: retries.withNewDeadline() };
      const fresh = await obtainFreshToken(token, { ...world, variable, request: plan.tokenRequest });
      return (await join(again, fresh)).joined;
    },
    openSession: ({ bot, contact }) =>
      openSession({
        address: plan.address,
        proxy: contact.kind === 'proxy' ? contact.facts : undefined,
        network,
        upgrades,
        bot,
        retries: retries.withNewDeadline(),
        signal,
        clock,
        log,
        trace,
      }),
    clock,
    log,
  });
}

/** At the address that has been reached, if that was a Proxy's. */
async function proxyOf({ network, plan, trace, trust, upgrades }: PlannedRun, joined: Joined): Promise<ProxyAccess> {
  const address = joined.contact.kind === 'proxy' ? plan.address : (await joined.proxy()).webAddress;
  return { address, network, upgrades, trust, trace };
}

/** Has no limit on its rate, unlike the ping; any answer will do. */
const ASKED_PATH = '/robots.txt';
/** Of a load balancer that does not reach the Proxy. */
const UNREACHED: readonly number[] = [502, 503, 504];

function healthOf({ journal: log, retries, world }: PlannedRun, proxy: ProxyAccess): ProxyHealth {
  const { clock, random, signal } = world;
  const name = `the Proxy ${formatAddress(proxy.address)}`;
  const limits = {
    attemptMs: () => HEALTH_POLICY.timeoutMs,
    askedPauseMs: (headers: ResponseHeaders) => retries.askedPauseMs(headers),
  };
  return watchProxy({
    name,
    ask: async (until) => {
      const web = openWebApi({ ...proxy, retries: limits, signal: until });
      try {
        const { status } = await web.get(ASKED_PATH);
        if (UNREACHED.includes(status)) throw unreached(name, status);
      } finally {
        web.close();
      }
    },
    clock,
    random,
    log,
    signal,
  });
}

function unreached(name: string, status: number): MachineIdError {
  return new MachineIdError('PROXY_UNREACHABLE', `a load balancer does not reach ${name}: status ${status}`, {
    hint: 'Check that the Proxy runs.',
  });
}
