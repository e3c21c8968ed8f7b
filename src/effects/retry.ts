/**
 * The one retry policy: transient failures are retried until a deadline for the whole run. Pauses grow and are random, so
 * that jobs which failed together do not retry together.
 */
import { MachineIdError } from '../errors.ts';
import type { Clock } from './time.ts';
import type { Log } from './log.ts';

export const RETRY_POLICY = {
  /** From the start of the run; `--deadline` changes it. */
  deadlineMs: 60_000,
  /** `doctor` reports a failure instead of outlasting it. */
  doctorDeadlineMs: 10_000,
  /** The longest first pause; the limit doubles with each further pause. */
  firstPauseMs: 500,
  longestPauseMs: 8_000,
  /** How much of the deadline a pause leaves for the last try; a fifth of deadlines below 5 s. */
  lastTryMs: 1_000,
  /**
   * The last try is at a random moment of so long a time before that, or of a fifteenth of deadlines below 60 s: jobs that
   * began together would otherwise all make it at once. Half of the longest pause keeps the load as it was before.
   */
  lastTrySpreadMs: 4_000,
  /** Asking CircleCI's agent for a token: number of tries, the pause between them, and the time limit of each. */
  agentTries: 3,
  agentPauseMs: 1_000,
  agentTimeoutMs: 15_000,
} as const;

/** From a server that is overloaded or restarting, or a load balancer without a healthy server. */
const TRANSIENT_HTTP_STATUSES: readonly number[] = [408, 429, 502, 503, 504];
/**
 * Only from AWS and download servers, whose 500 is a temporary problem. Teleport's is final: it returns 500 for an OIDC token
 * that it cannot verify.
 */
const ALSO_FROM_OTHER_SERVERS: readonly number[] = [500];
/** A server that shuts down returns CANCELED. */
const TRANSIENT_GRPC_STATUSES: readonly string[] = ['Unavailable', 'ResourceExhausted', 'Canceled'];

export function isTransientHttpStatus(status: number, server: 'Teleport' | 'other'): boolean {
  return TRANSIENT_HTTP_STATUSES.includes(status) || (server === 'other' && ALSO_FROM_OTHER_SERVERS.includes(status));
}

export function isTransientGrpcStatus(status: string): boolean {
  return TRANSIENT_GRPC_STATUSES.includes(status);
}

export interface RetryOptions {
  /** The longest wait of one attempt for its response. */
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Gets a line for each failure that is retried. */
  readonly log: Pick<Log, 'info'>;
  readonly signal: AbortSignal;
}

export interface ResponseHeaders {
  get(name: string): string | null | undefined;
}

/** All attempts of one run, which share a deadline. */
export interface Retries {
  /**
   * How long the next attempt may take. As long as nothing has failed, the deadline does not apply: every response has the
   * whole timeout.
   * @throws MachineIdError TIMEOUT if the deadline has passed
   */
  attemptMs(): number;
  /**
   * How long the server asks to wait. `Retry-After` is a number of seconds or a date (RFC 9110 section 10.2.3), which is
   * compared with the server's own clock if it sends one. Undefined if the header is missing or invalid.
   */
  askedPauseMs(headers: ResponseHeaders): number | undefined;
  /** Whether any attempt has failed so far. */
  hasFailed(): boolean;
  /** For work that has its own retry loop. */
  begin(signal?: AbortSignal): Attempts;
  /** Retries the attempt. Throws the first final failure, or the last one before the deadline with the number of tries. */
  run<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** The same policy with a deadline that starts now. */
  withNewDeadline(): Retries;
}

/** The attempts at one piece of work. */
export interface Attempts {
  /**
   * Logs the failure and waits until the next try is due.
   * @param next what happens then, for the log
   * @throws the failure if there is no further try
   */
  waitToRetry(failure: unknown, next?: string): Promise<void>;
  /** Counts a failure without waiting, because another attempt waits. @throws the failure if it is final */
  countFailure(failure: unknown): void;
}

export function startRetries(options: RetryOptions): Retries {
  const { clock, deadlineMs, timeoutMs } = options;
  const endMs = clock.elapsedMs() + deadlineMs;
  const spreadMs = Math.min(RETRY_POLICY.lastTrySpreadMs, deadlineMs / 15);
  const reserveMs = Math.min(RETRY_POLICY.lastTryMs, deadlineMs / 5) + (1 - options.random()) * spreadMs;
  let hasFailed = false;
  const leftMs = () => endMs - clock.elapsedMs();
  const onFailure = () => {
    hasFailed = true;
  };
  const begin = (signal = options.signal) => startAttempts({ ...options, signal }, { leftMs, reserveMs, onFailure });
  return {
    attemptMs: () => {
      if (!hasFailed) return Math.min(timeoutMs, deadlineMs);
      if (leftMs() > 0) return Math.min(timeoutMs, leftMs());
      throw new MachineIdError('TIMEOUT', `the deadline of ${secondsText(deadlineMs)} for the whole run has passed`, {
        hint: 'Check the failures above that were retried. --deadline changes the limit.',
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
  /** How long before it the last try of the run begins. */
  readonly reserveMs: number;
  readonly onFailure: () => void;
}

function startAttempts({ clock, deadlineMs, log, random, signal }: RetryOptions, deadline: Deadline): Attempts {
  const startMs = clock.elapsedMs();
  let tries = 0;

  const countFailure = (failure: unknown): MachineIdError => {
    tries += 1;
    if (!(failure instanceof MachineIdError)) throw failure;
    if (failure.transient === undefined) throw failure.code === 'TIMEOUT' && tries > 1 ? givenUp(failure) : failure;
    deadline.onFailure();
    return failure;
  };
  const givenUp = (failure: MachineIdError, reason = '') => {
    const effort = `${tries} ${tries === 1 ? 'try' : 'tries'} in ${secondsText(clock.elapsedMs() - startMs)}`;
    return failure.with({
      note: `${reason}gave up after ${effort} (--deadline ${deadlineMs / 1000})`,
      transient: undefined,
    });
  };
  const pauseMs = (failure: MachineIdError): number => {
    const { afterMs = 0 } = failure.transient ?? {};
    const latestMs = deadline.leftMs() - deadline.reserveMs;
    if (afterMs > 0 && afterMs > latestMs) {
      const reason = `the server asks to wait ${secondsText(afterMs)}, but only ${secondsText(deadline.leftMs())} are left; `;
      throw givenUp(failure, reason);
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
      log.info(`${failure.message}; ${next} in ${secondsText(waitMs)} (${secondsText(deadline.leftMs())} left)`);
      await pause(waitMs, clock, signal);
    },
  };
}

function askedPauseMs(headers: ResponseHeaders, clock: Clock): number | undefined {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Date.parse accepts much more than HTTP dates, for example "-1" and "1.5".
  const untilMs = /^[A-Z][a-z]+, /.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(untilMs)) return undefined;
  const sentMs = Date.parse(headers.get('date') ?? '');
  return Math.max(untilMs - (Number.isNaN(sentMs) ? clock.nowMs() : sentMs), 0);
}

/** Waits; rejects with the signal's reason if it is aborted. */
export async function pause(
  waitMs: number,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await clock.sleep(waitMs, signal);
  } catch (error) {
    // Node's timers throw their own error for an aborted signal.
    signal?.throwIfAborted();
    throw error;
  }
}

function secondsText(durationMs: number): string {
  const value = Math.max(durationMs, 0) / 1000;
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)} s`;
}
