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

// Replaces known secrets in all output, including other programs' output.

export interface Mask {
  /** From now on this text is shown as `[masked]`. */
  hide(secret: string): void;
  apply(text: string): string;
}

/** A shorter text would hide innocent words; no secret of this program is that short. */
const MIN_SECRET_CHARS = 8;

export function createMask(): Mask {
  const secrets: string[] = [];
  return {
    hide: (secret) => {
      if (secret.length >= MIN_SECRET_CHARS) secrets.push(secret);
    },
    apply: (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '[masked]'), text),
  };
}
