/** Reads one text setting of a job or an executor. */
import { substitute, unescapeText } from './expressions.ts';
import type { Values } from './expressions.ts';
import { optionalText } from './mapping.ts';
import type { Mapping } from './mapping.ts';

export function setting(definition: Mapping, key: string, values: Values, where: string): string | undefined {
  const found = optionalText(substitute(definition[key], values, where), `${where}.${key}`);
  return found === undefined ? undefined : unescapeText(found);
}
