/** Limits the concurrent streams of a connection to what the server allows (RFC 9113 section 5.1.2). */

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Until the server announces its limit, any number may be opened: waiting for it would cost a round trip. */
export class StreamSlots {
  #most = Infinity;
  #open = 0;
  #endedBy: Error | undefined;
  readonly #waiting = new Set<Waiter>();

  /** Whether any slot is taken. */
  get isBusy(): boolean {
    return this.#open > 0;
  }

  /** @param most as set by the server; may be 0 for a while */
  limit(most: number): void {
    this.#most = most;
    this.#serve();
  }

  /** The server refused a stream, so it accepts no more than are open now. */
  refused(): void {
    this.#most = Math.min(this.#most, Math.max(this.#open, 1));
  }

  /**
   * Resolves when a stream may be opened; each must be released.
   * @throws the signal's reason, or the error passed to `end`
   */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#endedBy !== undefined) throw this.#endedBy;
    if (this.#waiting.size === 0 && this.#open < this.#most) {
      this.#open += 1;
      return;
    }
    await this.#waitForSlot(signal);
  }

  release(): void {
    this.#open -= 1;
    this.#serve();
  }

  /** From now on, no stream can be opened. */
  end(error: Error): void {
    this.#endedBy ??= error;
    for (const { reject } of this.#waiting) reject(this.#endedBy);
  }

  #waitForSlot(signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        waiter.reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const waiter: Waiter = {
        resolve: () => {
          leave();
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  #serve(): void {
    for (const waiter of this.#waiting) {
      if (this.#open >= this.#most) return;
      this.#open += 1;
      waiter.resolve();
    }
  }
}
