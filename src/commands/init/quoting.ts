/** Writes values and comments into YAML that every reader understands alike, whatever stands in them. */
import { printable } from '../../errors.ts';

/** Begins with a letter or a slash, or is a UUID; a colon only with something behind it. */
const PLAIN = /^(?:[A-Za-z/][\w./@+-]*(?::[\w./@+-]+)*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** What YAML 1.1, which Teleport and CircleCI read, takes for another type than text. */
const NOT_TEXT = /^(?:true|false|yes|no|on|off|y|n|null)$/i;

/** Line breaks of YAML 1.1, marks that turn the direction of writing, and what JSON leaves as it is but YAML refuses. */
const ESCAPED = /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]/g;

/** A string: as it is where no reader can mistake it, else in double quotes, whose escapes JSON and YAML share. */
export function scalar(text: string): string {
  if (PLAIN.test(text) && !NOT_TEXT.test(text)) return text;
  return JSON.stringify(text).replace(
    ESCAPED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** As one entry of a mapping: numbers, switches, lists and mappings in JSON's form, which is YAML's too. */
export function entry(key: string, value: unknown): string {
  return `${key}: ${typeof value === 'string' ? scalar(value) : JSON.stringify(value)}`;
}

/** Lines of a comment, none of which can end it. */
export function comment(text: string): string {
  return text
    .split('\n')
    .map((line) => `# ${printable(line)}`)
    .join('\n');
}

/** Each line moved to the right. */
export function indented(text: string, columns: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(columns));
}

// Words for a POSIX shell.

export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** For a person to paste: a path that begins with a dash would be a flag. */
export function pathWord(path: string): string {
  return shellWord(path.startsWith('-') ? `./${path}` : path);
}

// CircleCI's expressions in configs: `<< parameters.x >>`, `<< pipeline.x >>`.

/** Text in which `<<` begins no expression; the compiler takes the backslash away. */
export function escaped(text: string): string {
  return text.replaceAll('<<', String.raw`\<<`);
}
