/** Teleport's own version numbers. */

export interface ServerVersion {
  readonly major: number;
  /** As the server wrote it, for example `18.2.4` or `19.0.0-dev`. */
  readonly text: string;
}

/** @returns undefined when the text does not begin like a semantic version */
export function parseServerVersion(text: string): ServerVersion | undefined {
  const match = /^v?(\d{1,5})\.\d{1,5}\.\d{1,5}(?:[-+][0-9A-Za-z.+-]*)?$/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), text: text.replace(/^v/, '') };
}
