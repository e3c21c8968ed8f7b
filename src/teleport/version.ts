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

/** The first and the last version that the tests run against. */
export const OLDEST_TESTED = { major: 15, text: '15.3.7' } as const satisfies ServerVersion;
export const NEWEST_TESTED = { major: 19, text: '19.0.0' } as const satisfies ServerVersion;

/** Semantic Versioning's precedence: negative when `one` comes before `other`. Build metadata does not count. */
export function compareVersions({ text: one }: ServerVersion, { text: other }: ServerVersion): number {
  const [first, second] = [precedence(one), precedence(other)];
  return compareLists(first.release, second.release) || comparePreReleases(first.preRelease, second.preRelease);
}

interface Precedence {
  readonly release: readonly string[];
  readonly preRelease: readonly string[];
}

function precedence(text: string): Precedence {
  const [version = ''] = text.split('+');
  const [release = '', ...rest] = version.split('-');
  const preRelease = rest.join('-');
  return { release: release.split('.'), preRelease: preRelease === '' ? [] : preRelease.split('.') };
}

/** A pre-release comes before its release. */
function comparePreReleases(one: readonly string[], other: readonly string[]): number {
  if (one.length === 0 || other.length === 0) return other.length - one.length;
  return compareLists(one, other);
}

function compareLists(one: readonly string[], other: readonly string[]): number {
  for (const [at, identifier] of one.entries()) {
    const difference = at < other.length ? compareIdentifiers(identifier, other[at] ?? '') : 1;
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

/** Numbers by their value and before words; words by their characters. */
function compareIdentifiers(one: string, other: string): number {
  const [first, second] = [one, other].map((identifier) => (/^\d+$/.test(identifier) ? Number(identifier) : undefined));
  if (first !== undefined && second !== undefined) return first - second;
  if (first !== undefined || second !== undefined) return first === undefined ? 1 : -1;
  return one < other ? -1 : one === other ? 0 : 1;
}
