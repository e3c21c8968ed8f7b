/** Keeps something that expires: replaces it before its end, and again after failures, without an end to the tries. */
import { seconds, utcTime } from '../crypto/validity.ts';
import type { Log } from '../effects/log.ts';
import type { Clock } from '../effects/time.ts';
import { asMachineIdError, MachineIdError } from '../errors.ts';
import { keepRenewed as renewBeforeEnd, type RenewalTimes } from '../job/renewal.ts';

interface Expiring {
  readonly expiresAtMs: number;
}

export interface Renewed<T extends Expiring> {
  /**
   * The newest one.
   * @throws MachineIdError TUNNEL_UNAVAILABLE if it has expired and could not be renewed
   */
  current(): T;
  readonly expiresAtMs: () => number;
  /** Why the last renewal failed; undefined once one has succeeded. */
  readonly failure: () => MachineIdError | undefined;
}

interface RenewalOptions {
  /** For messages: `the certificate of orders`. */
  readonly what: string;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Ends the renewal. */
  readonly signal: AbortSignal;
}

/** Connections fail while there is no valid certificate, so that it is tried more often than files are renewed. */
const LONGEST_PAUSE_MS = 60_000;

/**
 * Resolves with the first one.
 * @throws what `issue` throws for the first one
 */
export async function keepRenewed<T extends Expiring>(
  issue: () => Promise<T>,
  options: RenewalOptions,
): Promise<Renewed<T>> {
  const { clock, log, signal, what } = options;
  let current = await issue();
  let failure: MachineIdError | undefined;
  const work = {
    expiresAtMs: current.expiresAtMs,
    clock,
    signal,
    longestPauseMs: LONGEST_PAUSE_MS,
    givesUp: false,
    renew: async () => {
      current = await issue();
      return current.expiresAtMs;
    },
    events: {
      renewed: ({ expiresAtMs }: RenewalTimes) => {
        failure = undefined;
        log.info(`${what} was renewed: it expires at ${utcTime(expiresAtMs)}`);
        return Promise.resolve();
      },
      failed: (error: MachineIdError) => {
        failure = error;
        log.warn(`${what} cannot be renewed, and ${outlook(current, clock.nowMs())}: ${error.message}`);
        return Promise.resolve();
      },
    },
  };
  // Ends with the signal.
  renewBeforeEnd(work).catch((error: unknown) => {
    if (!signal.aborted) log.warn(`${what} is no longer renewed: ${asMachineIdError(error).message}`);
  });
  return {
    current: () => {
      if (clock.nowMs() < current.expiresAtMs) return current;
      throw expired(what, current, failure);
    },
    expiresAtMs: () => current.expiresAtMs,
    failure: () => failure,
  };
}

function outlook({ expiresAtMs }: Expiring, nowMs: number): string {
  const leftMs = expiresAtMs - nowMs;
  return leftMs <= 0
    ? `new connections fail since ${utcTime(expiresAtMs)}`
    : `new connections work until ${utcTime(expiresAtMs)} (${seconds(leftMs)})`;
}

function expired(what: string, { expiresAtMs }: Expiring, failure: MachineIdError | undefined): MachineIdError {
  const reason = failure === undefined ? '' : `: ${failure.message}`;
  return new MachineIdError('TUNNEL_UNAVAILABLE', `${what} expired at ${utcTime(expiresAtMs)}${reason}`, {
    hint: failure?.hint ?? 'Look at the log of the tunnel, and start it again.',
    cause: failure,
  });
}
