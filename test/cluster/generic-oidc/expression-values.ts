/** Types and values of predicate expressions. */
import { goType, type Json } from './go-values.ts';

export type Type = 'string' | 'int' | 'float64' | 'bool' | 'set' | 'any';

/** A set of strings, or what a claim holds. */
export type Value = Json | ReadonlySet<string>;

export const TYPE_NAMES: Readonly<Record<Type, string>> = {
  string: 'string',
  int: 'int',
  float64: 'float64',
  bool: 'bool',
  set: 'expression.Set',
  any: 'interface {}',
};

export function isSet(value: Value): value is ReadonlySet<string> {
  return value instanceof Set;
}

export function typeNameOf(value: Value): string {
  return isSet(value) ? TYPE_NAMES.set : goType(value);
}
