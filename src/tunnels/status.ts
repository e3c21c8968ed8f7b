/** What a process with tunnels reports about them, and how it is read back. */
import * as z from 'zod/mini';
import { utcTime } from '../crypto/validity.ts';
import type { Bot } from './bot.ts';
import type { ReadyTunnel } from './engine.ts';
import type { ProxyHealth } from './proxy-health.ts';

/** Times are milliseconds since the Unix epoch. */
const Tunnel = z.object({
  name: z.string(),
  type: z.string(),
  /** `127.0.0.1:5432`, or a path. */
  address: z.string(),
  target: z.string(),
  /** The variable that holds the address. */
  variable: z.string(),
  /** By which client programs find it. */
  clientVariables: z.record(z.string(), z.string()),
  /** Whether new connections are accepted; if not, since when and why. */
  state: z.enum(['ready', 'unavailable']),
  sinceMs: z.number(),
  problem: z.optional(z.string()),
  /** Of its certificate. */
  expiresAtMs: z.optional(z.number()),
  /** Why that could not be renewed last; new connections work until it expires. */
  renewalProblem: z.optional(z.string()),
  connections: z.object({
    open: z.number(),
    total: z.number(),
    refused: z.number(),
    broken: z.number(),
    sentBytes: z.number(),
    receivedBytes: z.number(),
  }),
  /** Why a client was refused or lost its connection last. */
  lastError: z.optional(z.object({ message: z.string(), atMs: z.number() })),
});

const Report = z.object({
  proxy: z.object({
    address: z.string(),
    state: z.enum(['answering', 'silent', 'unreachable']),
    sinceMs: z.number(),
    outages: z.number(),
    problem: z.optional(z.string()),
  }),
  /** When the bot's own identity expires; with it, certificates are renewed. */
  botExpiresAtMs: z.number(),
  tunnels: z.array(Tunnel),
});

export type TunnelsReport = z.infer<typeof Report>;
export type TunnelReport = TunnelsReport['tunnels'][number];

/** Undefined if it is not a report, for example because the tunnels are not ready yet. */
export function readReport(payload: unknown): TunnelsReport | undefined {
  return z.safeParse(Report, payload).data;
}

interface Reported {
  readonly tunnels: readonly ReadyTunnel[];
  readonly health: ProxyHealth;
  readonly bot: Pick<Bot, 'expiresAtMs'>;
  /** `host:port` of the Proxy. */
  readonly proxyAddress: string;
  readonly nowMs: number;
}

export function reportOf({ bot, health, nowMs, proxyAddress, tunnels }: Reported): TunnelsReport {
  const problem = health.problem();
  return {
    proxy: {
      address: proxyAddress,
      state: problem === undefined ? 'answering' : problem.isSilent ? 'silent' : 'unreachable',
      sinceMs: health.sinceMs(),
      outages: health.outages(),
      ...(problem === undefined ? {} : { problem: problem.error.message }),
    },
    botExpiresAtMs: bot.expiresAtMs(),
    tunnels: tunnels.map((tunnel) => tunnelReport(tunnel, health, nowMs)),
  };
}

function tunnelReport(tunnel: ReadyTunnel, health: ProxyHealth, nowMs: number): TunnelReport {
  const { address, clientVariables, counts, name, readyMs, target, type, variable } = tunnel;
  const { lastError, ...connections } = counts;
  const expiresAtMs = tunnel.expiresAtMs();
  const renewalProblem = tunnel.renewalFailure()?.message.replaceAll('\n', '; ');
  return {
    name,
    type,
    address,
    target,
    variable,
    clientVariables: Object.fromEntries(clientVariables),
    ...stateOf({ health, expiresAtMs, renewalProblem, nowMs, readyMs }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(renewalProblem === undefined ? {} : { renewalProblem }),
    connections,
    ...(lastError === undefined ? {} : { lastError }),
  };
}

interface StateFacts {
  readonly health: ProxyHealth;
  readonly expiresAtMs: number | undefined;
  readonly renewalProblem: string | undefined;
  readonly nowMs: number;
  readonly readyMs: number;
}

function stateOf({
  expiresAtMs = Infinity,
  health,
  nowMs,
  readyMs,
  renewalProblem,
}: StateFacts): Pick<TunnelReport, 'state' | 'sinceMs' | 'problem'> {
  const problem = health.problem();
  if (expiresAtMs <= nowMs) {
    return {
      state: 'unavailable',
      sinceMs: expiresAtMs,
      problem: `its certificate expired at ${utcTime(expiresAtMs)}${renewalProblem === undefined ? '' : `: ${renewalProblem}`}`,
    };
  }
  if (problem !== undefined) {
    return { state: 'unavailable', sinceMs: problem.sinceMs, problem: problem.error.message };
  }
  return { state: 'ready', sinceMs: Math.max(readyMs, health.outages() === 0 ? 0 : health.sinceMs()) };
}
