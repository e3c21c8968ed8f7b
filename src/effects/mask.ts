/** Replaces known secrets in all output, including other programs' output. */

export interface Mask {
  /** From now on this text is shown as `[masked]`. */
  hide(secret: string): void;
  apply(text: string): string;
}

/** A shorter text would hide innocent words; no secret of this program is that short. */
const SHORTEST_SECRET = 8;

export function createMask(): Mask {
  const secrets: string[] = [];
  return {
    hide: (secret) => {
      if (secret.length >= SHORTEST_SECRET) secrets.push(secret);
    },
    apply: (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '[masked]'), text),
  };
}
