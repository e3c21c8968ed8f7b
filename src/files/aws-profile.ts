/** Edits one profile in the credentials file that AWS programs share: an INI file with a section per profile. */

export interface AwsProfile {
  readonly secretAccessKey: string;
  readonly accessKeyId: string;
  readonly sessionToken: string;
  readonly expiresAtMs: number;
}

/** In tbot's order; `expiration` is in milliseconds since the Unix epoch. */
const KEYS = ['aws_secret_access_key', 'aws_access_key_id', 'aws_session_token', 'expiration'] as const;
const WIDTH = Math.max(...KEYS.map((key) => key.length));

/** The file with the profile set. Every other profile, key and comment of `before` stays unchanged. */
export function withProfile(before: string, name: string, profile: AwsProfile): string {
  const { accessKeyId, expiresAtMs, secretAccessKey, sessionToken } = profile;
  const values = [secretAccessKey, accessKeyId, sessionToken, String(expiresAtMs)];
  const own = KEYS.map((key, at) => `${key.padEnd(WIDTH)} = ${values[at] ?? ''}`);
  const { after, body, head } = split(before, name);
  if (body === undefined) {
    const gap = head.length === 0 ? [] : [...trimmedEnd(head), ''];
    return `${[...gap, `[${name}]`, ...own].join('\n')}\n`;
  }
  return `${trimmedEnd([...head, `[${name}]`, ...own, ...body.filter(isOther), ...after]).join('\n')}\n`;
}

/** The file without our keys of the profile, and without its section if nothing else is in it. */
export function withoutProfile(before: string, name: string): string {
  const { after, body, head } = split(before, name);
  if (body === undefined) return before;
  const rest = body.filter(isOther);
  const kept = rest.some((line) => line.trim() !== '') ? [`[${name}]`, ...rest] : [];
  const lines = trimmedEnd([...head, ...kept, ...after]);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

interface Sections {
  readonly head: readonly string[];
  /** Undefined if there is no such section. */
  readonly body: readonly string[] | undefined;
  readonly after: readonly string[];
}

function split(text: string, name: string): Sections {
  const lines = text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/);
  const start = lines.findIndex((line) => sectionName(line) === name);
  if (start === -1) return { head: lines, body: undefined, after: [] };
  const next = lines.findIndex((line, at) => at > start && sectionName(line) !== undefined);
  const end = next === -1 ? lines.length : next;
  return { head: lines.slice(0, start), body: lines.slice(start + 1, end), after: lines.slice(end) };
}

function sectionName(line: string): string | undefined {
  return /^\s*\[([^\]]*)\]/.exec(line)?.[1]?.trim();
}

function isOther(line: string): boolean {
  const end = line.indexOf('=');
  const key = line.slice(0, Math.max(end, 0)).trim().toLowerCase();
  return !KEYS.some((one) => one === key);
}

function trimmedEnd(lines: readonly string[]): readonly string[] {
  const last = lines.findLastIndex((line) => line.trim() !== '');
  return lines.slice(0, last + 1);
}
