/** Builds HTML from templates that escape every value, except HTML built here. */
import { printable } from '../errors.ts';

/** Trusted HTML. Use `markup` for anything that contains input. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Undefined becomes empty text. */
export type MarkupValue = string | number | undefined | Markup | readonly MarkupValue[];

export function markup(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  return new Markup(parts.map((part, at) => part + html(values[at])).join(''));
}

function html(value: MarkupValue): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map(html).join('');
  return escaped(printable(String(value ?? '')));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/**
 * Makes text safe between tags and in quoted attributes of XML and HTML. Removes characters that XML 1.0 section 2.2 does
 * not allow even when escaped: most control characters and lone surrogates.
 */
export function escaped(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- control characters must be removed
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\p{Surrogate}]/gu, ' ')
      .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
  );
}
