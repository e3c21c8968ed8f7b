/**
 * A simulated cluster: the limits are the embedded cluster's own code, and the work of Proxy and Auth is two queues, each of
 * which does so much in a second. What a client gives up is done all the same.
 */
import { TeleportError } from '../test/cluster/data/teleport-errors.ts';
import { type Limits, Limiters } from '../test/cluster/limiter.ts';
import { MachineIdError } from '../src/errors.ts';
import type { StormClock } from './storm-clock.ts';

export interface ClusterModel {
  /** Whether it has the join service (Teleport 18.5 and later). */
  readonly joinService: boolean;
  readonly limits: Limits;
  /** Connections with a TLS handshake, and joins or certificates, that it can do in a second. */
  readonly connectionsPerSecond: number;
  readonly joinsPerSecond: number;
  /** It begins to answer after so long; what arrives before that waits. */
  readonly silentMs: number;
  /** Connections are refused for so long. */
  readonly downMs: number;
}

/** Load is counted in intervals of this length. */
export const INTERVAL_MS = 100;

export class StormCluster {
  readonly #clock: StormClock;
  readonly #model: ClusterModel;
  readonly #limiters: Limiters;
  readonly #proxy: Queue;
  readonly #auth: Queue;
  /** Connections that began in each interval. */
  readonly connections: number[] = [];
  /** Requests and calls that were rejected because of a limit. */
  rejected = 0;

  constructor(clock: StormClock, model: ClusterModel) {
    this.#clock = clock;
    this.#model = model;
    this.#limiters = new Limiters(model.limits, () => clock.elapsedMs());
    this.#proxy = new Queue(clock, model.connectionsPerSecond);
    this.#auth = new Queue(clock, model.joinsPerSecond);
  }

  get hasJoinService(): boolean {
    return this.#model.joinService;
  }

  /** @throws MachineIdError, transient, while it is down */
  async connect(): Promise<void> {
    const interval = Math.floor(this.#clock.elapsedMs() / INTERVAL_MS);
    this.connections[interval] = (this.connections[interval] ?? 0) + 1;
    if (this.#clock.elapsedMs() < this.#model.downMs) throw unavailable('the connection was refused');
    await this.#proxy.work(1);
  }

  async ping(address: string): Promise<void> {
    const admitted = this.#limiters.proxy.admitRequest(address);
    if (typeof admitted === 'object') {
      this.rejected += 1;
      const seconds = admitted.headers['Retry-After'];
      throw unavailable(admitted.text, seconds === undefined ? undefined : Number(seconds) * 1000);
    }
    await this.#answers();
    admitted();
  }

  /** @param onAnswer called at the service's first answer */
  async join(address: string, onAnswer: () => void): Promise<void> {
    const release = this.#admit(() => this.#limiters.proxy.admitCall(address));
    await this.#answers();
    await this.#auth.work(0);
    onAnswer();
    await this.#auth.work(1);
    release();
  }

  async register(address: string): Promise<void> {
    await this.ping(address);
    this.#admit(() => {
      this.#limiters.admitRegistration(address);
    });
    await this.#auth.work(1);
  }

  /** @param share how much work it is, compared with a join */
  async call(address: string, share: number): Promise<void> {
    const release = this.#admit(() => this.#limiters.auth.admitCall(address));
    await this.#auth.work(share);
    release();
  }

  #admit<T>(admit: () => T): T {
    try {
      return admit();
    } catch (error) {
      if (!(error instanceof TeleportError)) throw error;
      this.rejected += 1;
      throw unavailable(error.message);
    }
  }

  async #answers(): Promise<void> {
    const leftMs = this.#model.silentMs - this.#clock.elapsedMs();
    if (leftMs > 0) await this.#clock.sleep(leftMs);
  }
}

/** What a client makes of a rejection. */
function unavailable(message: string, afterMs?: number): MachineIdError {
  return new MachineIdError('PROXY_UNREACHABLE', message, { hint: '', transient: { afterMs } });
}

/** Does one thing after another. */
class Queue {
  readonly #clock: StormClock;
  readonly #perSecond: number;
  #freeAtMs = 0;

  constructor(clock: StormClock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Resolves when it is done. */
  work(amount: number): Promise<void> {
    const nowMs = this.#clock.elapsedMs();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (amount * 1000) / this.#perSecond;
    return this.#clock.sleep(this.#freeAtMs - nowMs);
  }
}
