/** Pins of the cluster's certificate authority: the SHA-256 of its public key. */

/** Why `pin` is none, or `undefined` when it is `sha256:` with 64 hexadecimal digits. */
export function refuseCaPin(pin: string): string | undefined {
  if (/^sha256:[0-9a-f]{64}$/i.test(pin)) return undefined;
  return `"${pin}" is not a CA pin; it must be "sha256:" and 64 hexadecimal digits, as "tctl status" shows it`;
}
