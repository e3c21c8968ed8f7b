/** HTML in which everything that is filled in is escaped, unless it is HTML made here. */
import { printable } from '../errors.ts';
import { escaped } from './escape.ts';

/** HTML as it stands; of what others wrote, only `markup` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Nothing comes of undefined. */
export type Filling = string | number | undefined | Markup | readonly Filling[];

export function markup(parts: TemplateStringsArray, ...fillings: readonly Filling[]): Markup {
  return new Markup(parts.map((part, at) => part + filled(fillings[at])).join(''));
}

function filled(filling: Filling): string {
  if (filling instanceof Markup) return filling.text;
  if (typeof filling === 'object') return filling.map(filled).join('');
  return escaped(printable(String(filling ?? '')));
}
