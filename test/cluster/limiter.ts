/** How Teleport limits its clients, by their address. A cluster has no limits unless the option `limits` is set. */
import { TeleportError } from './data/teleport-errors.ts';

/** A token bucket: `average` requests per period, and `burst` at once. */
export interface Rate {
  readonly periodMs: number;
  readonly average: number;
  readonly burst: number;
}

export interface Limits {
  /**
   * `connection_limits.rates` of teleport.yaml, of web requests and gRPC calls together, at the Proxy and again at Auth.
   * Teleport sets none (`NewRateLimiter` of lib/limiter/ratelimiter.go@247bed93: 100 million per second).
   */
  readonly rates?: readonly Rate[];
  /** `connection_limits.max_connections`: requests and calls in progress from one address. */
  readonly maxConnections?: number;
  /** Of the registration endpoint; it cannot be configured (gravitational/teleport#42132). */
  readonly registration?: Rate;
  /** Not a limit of Teleport's: for so long after its start, the cluster does not answer, and then it answers all. */
  readonly slowStartMs?: number;
}

/** `LimiterMaxConnections` of lib/defaults/defaults.go. */
const MAX_CONNECTIONS = 15_000;
/** `LimiterHighPeriod`, `LimiterHighAverage` and `LimiterHighBurst` of lib/defaults/defaults.go, Teleport 17 and later. */
export const REGISTRATION_RATE: Rate = { periodMs: 60_000, average: 120, burst: 480 };

type NowMs = () => number;

/** By address. A rejected request takes nothing from any bucket (`TokenBucketSet.Consume` of lib/limiter/internal/ratelimit). */
export class RateLimiter {
  readonly #rates: readonly Rate[];
  readonly #nowMs: NowMs;
  readonly #buckets = new Map<string, Bucket[]>();

  constructor(rates: readonly Rate[], nowMs: NowMs) {
    this.#rates = rates;
    this.#nowMs = nowMs;
  }

  /** @returns 0 if the request is admitted, otherwise the milliseconds until there is a token again */
  take(address: string): number {
    const nowMs = this.#nowMs();
    const buckets = this.#buckets.get(address) ?? this.#rates.map((rate) => new Bucket(rate, nowMs));
    this.#buckets.set(address, buckets);
    const delayMs = Math.max(0, ...buckets.map((bucket) => bucket.delayMs(nowMs)));
    if (delayMs === 0) {
      for (const bucket of buckets) {
        bucket.take();
      }
    }
    return delayMs;
  }
}

class Bucket {
  readonly #rate: Rate;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  delayMs(nowMs: number): number {
    const perToken = this.#rate.periodMs / this.#rate.average;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (nowMs - this.#atMs) / perToken);
    this.#atMs = nowMs;
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) * perToken;
  }

  take(): void {
    this.#tokens -= 1;
  }
}

/** What a rejected HTTP request gets. */
export interface LimitedReply {
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Of one service, the Proxy or Auth. */
export class AddressLimiter {
  readonly #rates: RateLimiter;
  readonly #maxConnections: number;
  readonly #connections = new Map<string, number>();

  constructor({ maxConnections = MAX_CONNECTIONS, rates = [] }: Limits, nowMs: NowMs) {
    this.#rates = new RateLimiter(rates, nowMs);
    this.#maxConnections = maxConnections;
  }

  /**
   * A gRPC call: `StreamServerInterceptor` and `UnaryServerInterceptor` of lib/limiter/limiter.go@4e2b459a, which the
   * Proxy's server for clients without a certificate has too (`initPublicGRPCServer` of lib/service/service.go).
   * @returns call it when the call has ended
   * @throws TeleportError LimitExceeded, without a hint how long to wait
   */
  admitCall(address: string): () => void {
    if (this.#rates.take(address) > 0) {
      throw new TeleportError('LimitExceeded', 'rate limit exceeded');
    }
    const release = this.#connect(address);
    if (typeof release === 'number') {
      throw new TeleportError('LimitExceeded', 'connection limit exceeded');
    }
    return release;
  }

  /**
   * A web request, which counts as a connection: `ServeHTTP` of lib/limiter/connlimiter.go@1466c689, then
   * `ServeHTTPError` of lib/limiter/internal/ratelimit/http.go@05c43783, with `Retry-After` in whole seconds, plus one.
   */
  admitRequest(address: string): (() => void) | LimitedReply {
    const release = this.#connect(address);
    if (typeof release === 'number') {
      const counted = `${String(release)}, max is ${String(this.#maxConnections)}`;
      return { headers: {}, text: `too many connections from ${address}: ${counted}` };
    }
    const delayMs = this.#rates.take(address);
    if (delayMs === 0) {
      return release;
    }
    release();
    const retryAfter = String(Math.floor(delayMs / 1000) + 1);
    return { headers: { 'Retry-After': retryAfter }, text: `max rate reached: retry-in ${goDuration(delayMs)}` };
  }

  /** Returns the number of connections if there are too many. */
  #connect(address: string): (() => void) | number {
    const count = this.#connections.get(address) ?? 0;
    if (count >= this.#maxConnections) {
      return count;
    }
    this.#connections.set(address, count + 1);
    return () => {
      this.#connections.set(address, (this.#connections.get(address) ?? 1) - 1);
    };
  }
}

export class Limiters {
  readonly proxy: AddressLimiter;
  readonly auth: AddressLimiter;
  readonly #registration: RateLimiter;
  #ready: Promise<void> = Promise.resolve();
  /** Ends a slow start. */
  answer: () => void = () => undefined;

  /** @param nowMs of a monotonic clock */
  constructor(limits: Limits, nowMs: NowMs = () => performance.now()) {
    this.proxy = new AddressLimiter(limits, nowMs);
    this.auth = new AddressLimiter(limits, nowMs);
    this.#registration = new RateLimiter([limits.registration ?? REGISTRATION_RATE], nowMs);
    if (limits.slowStartMs !== undefined) {
      this.beginSlowStart(limits.slowStartMs);
    }
  }

  /**
   * `POST /webapi/host/credentials` has `WithUnauthenticatedHighLimiter`; ping, find and the connection upgrade have none
   * (`bindMinimalEndpoints` and `bindDefaultEndpoints` of lib/web/apiserver.go@40538c8b). The answer is an error like any
   * other of the API: status 429, and no `Retry-After`.
   * @throws TeleportError LimitExceeded
   */
  admitRegistration(address: string): void {
    const delayMs = this.#registration.take(address);
    if (delayMs > 0) {
      throw new TeleportError('LimitExceeded', `rate limit exceeded, try again in ${goDuration(delayMs)}`);
    }
  }

  /** As if it had been restarted. */
  beginSlowStart(durationMs: number): void {
    this.#ready = new Promise((resolve) => {
      this.answer = resolve;
    });
    setTimeout(this.answer, durationMs).unref();
  }

  /** Resolves when the cluster answers. */
  ready(): Promise<void> {
    return this.#ready;
  }
}

/** As Go prints a duration below a minute. */
function goDuration(durationMs: number): string {
  return durationMs < 1000 ? `${String(Math.ceil(durationMs))}ms` : `${String(Math.ceil(durationMs) / 1000)}s`;
}
