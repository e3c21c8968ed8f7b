/** A clock for many simulated jobs in one process, in whole milliseconds: time passes when all of them wait. */
import type { Clock } from '../src/effects/time.ts';

interface Waiter {
  readonly atMs: number;
  /** Of two waits that end together, the one that began first ends first. */
  readonly order: number;
  /** Undefined once it was cancelled. */
  end: (() => void) | undefined;
}

export class StormClock implements Clock {
  #nowMs = 0;
  #count = 0;
  /** A binary heap: the wait that ends next is the first. */
  readonly #heap: Waiter[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  elapsedMs(): number {
    return this.#nowMs;
  }

  /** Without a signal: no simulated job is interrupted. */
  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(durationMs, resolve);
    });
  }

  /** @returns cancels it */
  after(durationMs: number, end: () => void): () => void {
    const atMs = Math.ceil(this.#nowMs + durationMs);
    const waiter: Waiter = { atMs, order: (this.#count += 1), end };
    this.#push(waiter);
    return () => {
      waiter.end = undefined;
    };
  }

  /** Runs until nothing waits any more. */
  async run(): Promise<void> {
    await settled();
    for (let next = this.#pop(); next !== undefined; next = this.#pop()) {
      this.#nowMs = next.atMs;
      next.end?.();
      while (this.#heap[0]?.atMs === next.atMs) this.#pop()?.end?.();
      await settled();
    }
  }

  #push(waiter: Waiter): void {
    const heap = this.#heap;
    let at = heap.push(waiter) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(heap[at], heap[above])) return;
      this.#swap(at, above);
      at = above;
    }
  }

  #pop(): Waiter | undefined {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    const first = heap.pop();
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const least = isBefore(heap[right], heap[left]) ? right : left;
      if (!isBefore(heap[least], heap[at])) return first;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(one: number, other: number): void {
    const [first, second] = [this.#heap[one], this.#heap[other]];
    if (first === undefined || second === undefined) return;
    this.#heap[one] = second;
    this.#heap[other] = first;
  }
}

function isBefore(one: Waiter | undefined, other: Waiter | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined;
  return one.atMs === other.atMs ? one.order < other.order : one.atMs < other.atMs;
}

/** Resolves when everything that could go on has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
