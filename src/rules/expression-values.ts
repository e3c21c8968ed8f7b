/** The values and types of expressions. What a claim contains is known only at the join: its type is `any` until then. */
import { isJsonList, type Json, typeOf } from './json.ts';

export type Value = Json | ReadonlySet<string>;

export type Type = 'string' | 'bool' | 'int' | 'float' | 'set' | 'any';

export function isSet(value: Value): value is ReadonlySet<string> {
  return value instanceof Set;
}

/** The type of a value that is known, for messages. */
export function kindOf(value: Value): string {
  return isSet(value) ? 'set' : value === null ? 'nil' : typeOf(value);
}

/** The texts that `set` collects from a value; undefined if it is not made of texts. */
export function textsOf(value: Value): readonly string[] | undefined {
  if (typeof value === 'string') return [value];
  if (isSet(value)) return [...value];
  if (!isJsonList(value)) return undefined;
  const texts = value.filter((item) => typeof item === 'string');
  return texts.length === value.length ? texts : undefined;
}
