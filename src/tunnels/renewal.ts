/** Keeps something that expires: replaces it before its end, and again after failures, without an end to the tries. */
import { seconds, utcTime } from '../crypto/validity.ts';
import type { Log } from '../effects/log.ts';
import type { Clock } from '../effects/time.ts';
import { asMachineIdError, MachineIdError } from '../errors.ts';

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

export const RENEWAL_POLICY = {
  /** The last part of a lifetime, in which it is renewed; at least a minute, if that leaves half of the lifetime. */
  part: 0.1,
  leastMs: 60_000,
  /** Between tries after a failure; doubles with each. */
  firstPauseMs: 5_000,
  longestPauseMs: 60_000,
  /** How often the clock is read: a machine may have been suspended. */
  longestSleepMs: 30_000,
} as const;

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
  const renew = async () => {
    let pauseMs: number = RENEWAL_POLICY.firstPauseMs;
    let issuedMs = clock.nowMs();
    for (;;) {
      await sleepUntil(failure === undefined ? renewalMs(issuedMs, current) : clock.nowMs() + pauseMs, options);
      try {
        current = await issue();
        [issuedMs, pauseMs] = [clock.nowMs(), RENEWAL_POLICY.firstPauseMs];
        failure = undefined;
        log.info(`${what} was renewed: it expires at ${utcTime(current.expiresAtMs)}`);
      } catch (error) {
        signal.throwIfAborted();
        pauseMs = failure === undefined ? pauseMs : Math.min(pauseMs * 2, RENEWAL_POLICY.longestPauseMs);
        failure = asMachineIdError(error);
        log.warn(`${what} cannot be renewed: ${failure.message}; ${outlook(current, clock.nowMs())}`);
      }
    }
  };
  // Ends with the signal.
  renew().catch((error: unknown) => {
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

function renewalMs(issuedMs: number, { expiresAtMs }: Expiring): number {
  const lifetimeMs = Math.max(0, expiresAtMs - issuedMs);
  const beforeMs = Math.max(lifetimeMs * RENEWAL_POLICY.part, Math.min(RENEWAL_POLICY.leastMs, lifetimeMs / 2));
  return expiresAtMs - beforeMs;
}

/** @throws the signal's reason */
async function sleepUntil(untilMs: number, { clock, signal }: RenewalOptions): Promise<void> {
  for (;;) {
    const leftMs = untilMs - clock.nowMs();
    if (leftMs <= 0) return;
    await clock.sleep(Math.min(leftMs, RENEWAL_POLICY.longestSleepMs), signal);
  }
}

function outlook({ expiresAtMs }: Expiring, nowMs: number): string {
  const leftMs = expiresAtMs - nowMs;
  return leftMs <= 0
    ? `it expired at ${utcTime(expiresAtMs)}, so new connections fail`
    : `new connections work until ${utcTime(expiresAtMs)} (${seconds(leftMs)})`;
}

function expired(what: string, { expiresAtMs }: Expiring, failure: MachineIdError | undefined): MachineIdError {
  const reason = failure === undefined ? '' : `: ${failure.message}`;
  return new MachineIdError('TUNNEL_UNAVAILABLE', `${what} expired at ${utcTime(expiresAtMs)}${reason}`, {
    hint: failure?.hint ?? 'Look at the log of the tunnel, and start it again.',
    cause: failure,
  });
}
