/** Secrets: a type that cannot be printed by accident, and a mask for all output. */
import { inspect } from 'node:util';
import { createMaskStream, type MaskStream } from './mask-stream.ts';

/** `String()`, `JSON.stringify` and `util.inspect` show it as `[secret]`. */
export class Secret<T extends string | Uint8Array = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** Returns the value; call it only where the value goes to a socket or file. */
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

/** Replaces known secrets in all output, including other programs' output. */
export interface Mask {
  /** From now on, this text is shown as `[masked]`. */
  hide(secret: string): void;
  apply(text: string): string;
  /** Masks the secrets that are known now in a stream of bytes. */
  openStream(): MaskStream;
}

/** Masking shorter texts would hide ordinary words; this program has no secret that short. */
const MIN_SECRET_CHARS = 8;

export function createMask(): Mask {
  const secrets: string[] = [];
  return {
    hide: (secret) => {
      if (secret.length >= MIN_SECRET_CHARS && !secrets.includes(secret)) secrets.push(secret);
    },
    apply: (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '[masked]'), text),
    openStream: () => createMaskStream(secrets),
  };
}
