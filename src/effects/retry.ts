/**
 * The one policy for trying again: what may pass is tried until one deadline for the whole run, with pauses that grow
 * and are drawn at random, so that jobs which failed together do not come back together.
 */
import { MachineIdError } from '../errors.ts';
import type { Clock } from './time.ts';
import type { Log } from './log.ts';

export const RETRY_POLICY = {
  /** From the start of the run; `--deadline` changes it. */
  deadlineMs: 60_000,
  /** `doctor` is to report a failure, not to outlast it. */
  doctorDeadlineMs: 10_000,
  /** The longest first pause; each further one may be twice as long. */
  firstPauseMs: 500,
  longestPauseMs: 8_000,
  /** What a pause leaves of the deadline, so that there is time for one more try; a fifth of a deadline below 5 s. */
  lastTryMs: 1_000,
  /** CircleCI's agent, asked for a token: how often, with what pause in between, and how long each answer may take. */
  agentTries: 3,
  agentPauseMs: 1_000,
  agentTimeoutMs: 15_000,
} as const;

/** Of a server that is overloaded or restarting, or of a load balancer without a server behind it. */
const TRANSIENT_HTTP_STATUSES: readonly number[] = [408, 429, 502, 503, 504];
/**
 * Of AWS and of download servers alone, whose 500 is a problem of the moment; Teleport's is final, as it answers so to an
 * OIDC token that it cannot verify.
 */
const ALSO_OF_OTHER_SERVERS: readonly number[] = [500];
/** gRPC's names of UNAVAILABLE and RESOURCE_EXHAUSTED; CANCELED is what a server says that shuts down. */
const TRANSIENT_GRPC_STATUSES: readonly string[] = ['Unavailable', 'ResourceExhausted', 'Canceled'];

export function isTransientHttpStatus(status: number, server: 'Teleport' | 'other'): boolean {
  return TRANSIENT_HTTP_STATUSES.includes(status) || (server === 'other' && ALSO_OF_OTHER_SERVERS.includes(status));
}

export function isTransientGrpcStatus(status: string): boolean {
  return TRANSIENT_GRPC_STATUSES.includes(status);
}

export interface RetryOptions {
  /** The longest that one attempt may wait for its answer. */
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Has a line for each failure after which there is another try. */
  readonly log: Pick<Log, 'info'>;
  readonly signal: AbortSignal;
}

export interface ResponseHeaders {
  get(name: string): string | null | undefined;
}

/** All attempts of one run: they share a deadline. */
export interface Retries {
  /**
   * How long the next attempt may take. A run in which nothing has failed is not cut short by the deadline: every answer
   * has the whole timeout.
   * @throws MachineIdError TIMEOUT when the deadline has passed
   */
  attemptMs(): number;
  /**
   * What a server asks to wait for: `Retry-After` is seconds or a date (RFC 9110 section 10.2.3), which is read by the
   * server's own clock where it says the time. Undefined when it asks for nothing that can be read.
   */
  askedPauseMs(headers: ResponseHeaders): number | undefined;
  /** Whether any attempt has failed so far. */
  hasFailed(): boolean;
  /** For work that retries in a loop of its own. */
  begin(signal?: AbortSignal): Attempts;
  /** Throws the first failure that is final, or the last one before the deadline with how often was tried. */
  run<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** The same policy with a deadline from now on. */
  withNewDeadline(): Retries;
}

/** The attempts at one piece of work. */
export interface Attempts {
  /**
   * Waits until the next try is due, and logs that.
   * @param next what happens then
   * @throws the failure, when there is no other try
   */
  waitToRetry(failure: unknown, next?: string): Promise<void>;
  /** Counts a failure after which somebody else waits. @throws the failure, when it is final */
  countFailure(failure: unknown): void;
}

export function startRetries(options: RetryOptions): Retries {
  const { clock, deadlineMs, timeoutMs } = options;
  const endMs = clock.elapsedMs() + deadlineMs;
  let hasFailed = false;
  const leftMs = () => endMs - clock.elapsedMs();
  const onFailure = () => {
    hasFailed = true;
  };
  const begin = (signal = options.signal) => startAttempts({ ...options, signal }, { leftMs, onFailure });
  return {
    attemptMs: () => {
      if (!hasFailed) return Math.min(timeoutMs, deadlineMs);
      if (leftMs() > 0) return Math.min(timeoutMs, leftMs());
      throw new MachineIdError('TIMEOUT', `the deadline of ${secondsText(deadlineMs)} for the whole run has passed`, {
        hint: 'Look at the failures above that were tried again; --deadline changes the limit.',
      });
    },
    askedPauseMs: (headers) => askedPauseMs(headers, clock),
    hasFailed: () => hasFailed,
    begin,
    run: async (attempt, signal) => {
      const tries = begin(signal);
      for (;;) {
        try {
          return await attempt();
        } catch (error) {
          await tries.waitToRetry(error);
        }
      }
    },
    withNewDeadline: () => startRetries(options),
  };
}

interface Deadline {
  readonly leftMs: () => number;
  readonly onFailure: () => void;
}

function startAttempts({ clock, deadlineMs, log, random, signal }: RetryOptions, deadline: Deadline): Attempts {
  const startMs = clock.elapsedMs();
  const reserveMs = Math.min(RETRY_POLICY.lastTryMs, deadlineMs / 5);
  let tries = 0;

  const countFailure = (failure: unknown): MachineIdError => {
    tries += 1;
    if (!(failure instanceof MachineIdError)) throw failure;
    if (failure.transient === undefined) throw failure.code === 'TIMEOUT' && tries > 1 ? givenUp(failure) : failure;
    deadline.onFailure();
    return failure;
  };
  const givenUp = (failure: MachineIdError, reason = '') => {
    const often = `${tries} ${tries === 1 ? 'try' : 'tries'} in ${secondsText(clock.elapsedMs() - startMs)}`;
    return failure.with({
      note: `${reason}gave up after ${often} (--deadline ${deadlineMs / 1000})`,
      transient: undefined,
    });
  };
  const pauseMs = (failure: MachineIdError): number => {
    const { afterMs = 0 } = failure.transient ?? {};
    const latestMs = deadline.leftMs() - reserveMs;
    if (afterMs > 0 && afterMs > latestMs) {
      const asked = `the server asks for a pause of ${secondsText(afterMs)}, and ${secondsText(deadline.leftMs())} are left; `;
      throw givenUp(failure, asked);
    }
    if (latestMs <= 0) throw givenUp(failure);
    const longestMs = Math.min(RETRY_POLICY.longestPauseMs, RETRY_POLICY.firstPauseMs * 2 ** (tries - 1));
    return Math.min(afterMs + random() * longestMs, latestMs);
  };
  return {
    countFailure,
    waitToRetry: async (error, next = 'trying again') => {
      const failure = countFailure(error);
      const waitMs = pauseMs(failure);
      log.info(`${failure.message}; ${next} in ${secondsText(waitMs)}, for ${secondsText(deadline.leftMs())} more`);
      await pause(waitMs, clock, signal);
    },
  };
}

function askedPauseMs(headers: ResponseHeaders, clock: Clock): number | undefined {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Date.parse reads much more than dates of HTTP, "-1" and "1.5" among it.
  const untilMs = /^[A-Z][a-z]+, /.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(untilMs)) return undefined;
  const sentMs = Date.parse(headers.get('date') ?? '');
  return Math.max(untilMs - (Number.isNaN(sentMs) ? clock.nowMs() : sentMs), 0);
}

/** Waits; rejects with the signal's own reason when it is aborted. */
export async function pause(
  waitMs: number,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await clock.sleep(waitMs, signal);
  } catch (error) {
    // Node's timers throw an error of their own for a signal.
    signal?.throwIfAborted();
    throw error;
  }
}

function secondsText(durationMs: number): string {
  const value = Math.max(durationMs, 0) / 1000;
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)} s`;
}
