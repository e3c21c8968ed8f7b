/** Quotes text for YAML, shells and CircleCI, so that every reader gets the same text. */
import { printable } from '../../errors.ts';

/** Text that needs no quotes: it starts with a letter or a slash and has no colon at its end, or it is a UUID. */
const PLAIN = /^(?:[A-Za-z/][\w./@+-]*(?::[\w./@+-]+)*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Words that YAML 1.1, which Teleport and CircleCI use, does not read as strings. */
const NOT_TEXT = /^(?:true|false|yes|no|on|off|y|n|null)$/i;

/** YAML 1.1 line breaks, direction marks, and characters that JSON allows unescaped but YAML does not. */
const ESCAPED = /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]/g;

/** A YAML string: plain if it is unambiguous, otherwise in double quotes with escapes that JSON and YAML share. */
export function scalar(text: string): string {
  if (PLAIN.test(text) && !NOT_TEXT.test(text)) return text;
  return JSON.stringify(text).replace(
    ESCAPED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** One entry of a YAML mapping; values other than strings are written as JSON, which is valid YAML. */
export function entry(key: string, value: unknown): string {
  return `${key}: ${typeof value === 'string' ? scalar(value) : JSON.stringify(value)}`;
}

/** A YAML comment, one line for each line of the text. */
export function comment(text: string): string {
  return text
    .split('\n')
    .map((line) => `# ${printable(line)}`)
    .join('\n');
}

export function indented(text: string, columns: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(columns));
}

/** One word for a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A path for a shell command; one with a leading dash would be a flag. */
export function pathWord(path: string): string {
  return shellWord(path.startsWith('-') ? `./${path}` : path);
}

/** Escapes `<<`, which starts an expression in a CircleCI config; the config compiler removes the backslash. */
export function escaped(text: string): string {
  return text.replaceAll('<<', String.raw`\<<`);
}
