/** Runs all tunnels of a process: opens them, waits until each of them is ready, and reports their state. */
import { utcTime } from '../crypto/validity.ts';
import type { Files } from '../effects/files.ts';
import type { Log } from '../effects/log.ts';
import { pause } from '../effects/retry.ts';
import { type Clock, withDeadline } from '../effects/time.ts';
import { asMachineIdError, MachineIdError, pluralize } from '../errors.ts';
import type { WriteRecord } from '../job/manifest.ts';
import type { Bot } from './bot.ts';
import { type ConnectionCounts, newCounts } from './connections.ts';
import type { ProxyHealth } from './proxy-health.ts';
import type { OpenTunnel } from './tunnel-type.ts';
import { addressVariable, openTunnel, type Tunnel, tunnelName } from './tunnels.ts';
import type { ProxyAccess } from './upstream.ts';
import type { Program } from './work.ts';

export interface EngineOptions {
  readonly tunnels: readonly Tunnel[];
  readonly bot: Bot;
  readonly proxy: ProxyAccess;
  readonly health: ProxyHealth;
  readonly maxConnections: number;
  /** How long each tunnel has until it is ready. */
  readonly readyTimeoutMs: number;
  readonly clock: Clock;
  readonly files: Files;
  readonly program: Program;
  readonly record: WriteRecord;
  readonly log: Log;
  /** Ends all tunnels. */
  readonly signal: AbortSignal;
}

/** What is reported about a tunnel that has become ready. */
export interface ReadyTunnel {
  readonly name: string;
  readonly type: string;
  /** `127.0.0.1:5432`, or a path. */
  readonly address: string;
  readonly target: string;
  /** The variable that holds the address. */
  readonly variable: string;
  readonly clientVariables: ReadonlyMap<string, string>;
  readonly expiresAtMs: () => number | undefined;
  readonly renewalFailure: () => MachineIdError | undefined;
  readonly counts: ConnectionCounts;
  /** Milliseconds since the Unix epoch. */
  readonly readyMs: number;
}

/**
 * Resolves when every tunnel is ready: it listens, and its other end has answered once.
 * @throws MachineIdError TUNNEL_NOT_READY with every tunnel that is not, or the signal's reason
 */
export async function openTunnels(options: EngineOptions): Promise<readonly ReadyTunnel[]> {
  const { signal, tunnels } = options;
  const opened = await Promise.allSettled(tunnels.map((tunnel) => openOne(tunnel, options)));
  signal.throwIfAborted();
  const failures = opened.flatMap((result, at) => {
    const tunnel = tunnels[at];
    return result.status === 'rejected' && tunnel !== undefined
      ? [{ tunnel, error: asMachineIdError(result.reason) }]
      : [];
  });
  if (failures.length > 0) throw notReady(failures, tunnels.length);
  return opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

async function openOne(tunnel: Tunnel, options: EngineOptions): Promise<ReadyTunnel> {
  const { clock, log, readyTimeoutMs, signal } = options;
  const name = tunnelName(tunnel);
  const counts = newCounts();
  const own = named(log, name);
  const startMs = clock.elapsedMs();
  const deadline = { waitingFor: `the tunnel ${name}`, timeoutMs: readyTimeoutMs, signal };
  const work = { ...options, name, counts, log: own };
  let lastError: MachineIdError | undefined;
  try {
    return await withDeadline(deadline, async (until) => {
      const opened = await openTunnel(tunnel, work);
      await probeUntilAnswered(opened, { clock, signal: until, log: own, onFailure: (error) => (lastError = error) });
      const { address, clientVariables, expiresAtMs, renewalFailure, target } = opened;
      const tookMs = Math.round(clock.elapsedMs() - startMs);
      own.info(`ready at ${address} for ${target} (${tookMs} ms)${validity(expiresAtMs())}`);
      const { type } = tunnel;
      const readyMs = clock.nowMs();
      const variable = addressVariable(tunnel);
      const times = { expiresAtMs, readyMs, renewalFailure };
      return { name, type, address, target, variable, clientVariables, counts, ...times };
    });
  } catch (error) {
    signal.throwIfAborted();
    throw lastError ?? error;
  }
}

function validity(expiresAtMs: number | undefined): string {
  return expiresAtMs === undefined ? '' : `, its certificate expires at ${utcTime(expiresAtMs)}`;
}

/** Between two tries. */
const PROBE_PAUSE_MS = 1000;

interface ProbeOptions {
  readonly clock: Clock;
  readonly log: Pick<Log, 'info'>;
  readonly signal: AbortSignal;
  readonly onFailure: (error: MachineIdError) => void;
}

/** @throws the signal's reason, or a failure that another try does not change */
async function probeUntilAnswered(
  { probe }: OpenTunnel,
  { clock, log, onFailure, signal }: ProbeOptions,
): Promise<void> {
  for (;;) {
    try {
      await probe(signal);
      return;
    } catch (cause) {
      signal.throwIfAborted();
      const error = asMachineIdError(cause);
      if (error.transient === undefined && error.code !== 'TIMEOUT') throw error;
      onFailure(error);
      log.info(`not ready yet: ${error.message}`);
      await pause(PROBE_PAUSE_MS, clock, signal);
    }
  }
}

function named(log: Log, name: string): Pick<Log, 'debug' | 'info' | 'warn'> {
  const text = (message: string) => `${name}: ${message}`;
  return {
    debug: (message) => {
      log.debug(text(message));
    },
    info: (message) => {
      log.info(text(message));
    },
    warn: (message) => {
      log.warn(text(message));
    },
  };
}

interface Failure {
  readonly tunnel: Tunnel;
  readonly error: MachineIdError;
}

function notReady(failures: readonly Failure[], all: number): MachineIdError {
  const [first] = failures;
  const problems = failures.map(({ error, tunnel }) => ({
    path: tunnel.path,
    ...(tunnel.line === undefined ? {} : { line: tunnel.line }),
    message: `${error.code}: ${error.message}`,
    ...(failures.length === 1 ? {} : { hint: error.hint }),
  }));
  return new MachineIdError(
    'TUNNEL_NOT_READY',
    `${failures.length} of ${pluralize(all, 'tunnel')} did not become ready`,
    {
      hint:
        (failures.length === 1 ? first?.error.hint : undefined) ?? 'Fix each of these tunnels as described below it.',
      problems,
      cause: first?.error,
    },
  );
}
