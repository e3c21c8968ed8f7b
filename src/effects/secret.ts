/** A secret value that cannot be printed by accident. */
import { inspect } from 'node:util';

/** Holds a value that `String()`, `JSON.stringify` and `util.inspect` show as `[secret]`. */
export class Secret<T extends string | Uint8Array = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself; call it only beside the socket or the file write. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
