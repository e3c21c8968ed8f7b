/** Runs tunnels in this process, until a signal ends it. */
import { openSession } from '../../auth/session.ts';
import type { PlannedRun } from '../../config/plan.ts';
import type { ResponseHeaders } from '../../effects/retry.ts';
import { sharedController } from '../../effects/time.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError, pluralize } from '../../errors.ts';
import type { Joined } from '../../join/join.ts';
import { formatAddress } from '../../net/address.ts';
import { openWebApi } from '../../net/web.ts';
import type { Journal } from '../../outputs/journal.ts';
import { sendHeartbeat } from '../../outputs/heartbeat.ts';
import { type Bot, openBot } from '../../tunnels/bot.ts';
import { openTunnels, type ReadyTunnel } from '../../tunnels/engine.ts';
import { HEALTH_POLICY, type ProxyHealth, watchProxy } from '../../tunnels/proxy-health.ts';
import type { ProxyAccess } from '../../tunnels/upstream.ts';
import { findToken } from '../run.ts';
import { readConfiguration } from '../run-configuration.ts';
import { join } from '../run-natively.ts';
import type { TunnelArguments } from './flags.ts';

/** @throws MachineIdError if a tunnel does not become ready; resolves when a signal has ended the process */
export async function runTunnels(given: TunnelArguments, journal: Journal, world: World): Promise<void> {
  const controller = sharedController();
  const { signal } = controller;
  const interrupted = new Promise<void>((resolve) => {
    const end = () => {
      controller.abort(world.signal.reason);
      resolve();
    };
    if (world.signal.aborted) end();
    world.signal.addEventListener('abort', end, { once: true });
  });
  try {
    const run = await readConfiguration(given, journal, { ...world, signal }, given.tunnelFlags);
    const { tunnels } = await open(given, run);
    journal.info(`${pluralize(tunnels.length, 'tunnel')} ready`);
    await interrupted;
  } finally {
    // Ends what still runs if a tunnel has not become ready.
    controller.abort(new Error('the tunnels have ended'));
  }
}

interface Opened {
  readonly tunnels: readonly ReadyTunnel[];
  readonly bot: Bot;
  readonly health: ProxyHealth;
}

async function open(given: TunnelArguments, run: PlannedRun): Promise<Opened> {
  const { journal, plan, world } = run;
  const { clock, files, signal } = world;
  const { joined } = await join(run, await findToken(given, run));
  const bot = botOf(given, run, joined);
  await bot.withSession(({ session }) => sendHeartbeat(run, joined, session));
  const proxy = await proxyOf(run, joined);
  const health = healthOf(run, proxy);
  const { maxConnections, readyTimeoutMs } = given;
  const { tunnels } = plan;
  const engine = { tunnels, bot, proxy, health, maxConnections, readyTimeoutMs, clock, files, log: journal, signal };
  return { tunnels: await openTunnels(engine), bot, health };
}

/** Later joins have a new OIDC token, and their own deadline. */
function botOf(given: TunnelArguments, run: PlannedRun, joined: Joined): Bot {
  const { journal: log, network, plan, retries, trace, upgrades, world } = run;
  const { clock, signal } = world;
  return openBot({
    joined,
    join: async () => {
      const again = { ...run, retries: retries.withNewDeadline() };
      return (await join(again, await findToken(given, again))).joined;
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
