/** Fields of resources, as tctl reads them: it converts YAML to JSON, and does not accept numbers as text. */
import * as z from 'zod/mini';
import {
  type Context,
  type Field,
  list,
  readBy,
  refuse,
  section as anySection,
  type SectionOf,
} from '../schema/fields.ts';
import { Scalar } from '../schema/yaml/tree.ts';

/** Absent, null and empty text are the same. Problems do not quote the value: a name can be a secret. */
export const text: Field<string | undefined> = textOr('must be text, not a list or a mapping');

/** @param otherwise the problem with a list or a mapping */
export function textOr(otherwise: string): Field<string | undefined> {
  return z.transform((input: unknown, context: Context) => {
    if (input === undefined) return undefined;
    if (!(input instanceof Scalar)) return refuse(context, otherwise);
    if (input.tag === 'null') return undefined;
    if (input.tag !== 'str') return refuse(context, 'must be text, but this is read as another type; put it in quotes');
    return input.text === '' ? undefined : input.text;
  });
}

/** A text that may be empty. */
export const anyText: Field<string> = z.pipe(
  text,
  z.transform((value: string | undefined) => value ?? ''),
);

export const textList: Field<readonly string[]> = list(anyText);

type Shape = Readonly<Record<string, Field<unknown>>>;

/** Older releases of tctl ignored unknown keys, so that a rule allowed more than it seemed to. */
export function section<S extends Shape>(shape: S, program = 'tctl'): Field<SectionOf<S>> {
  return anySection(shape, `is rejected by ${program}`);
}

/** Undefined if it is absent or null. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return z.transform((input: unknown, context: Context) =>
    input === undefined || (input instanceof Scalar && input.tag === 'null')
      ? undefined
      : readBy(field, input, context),
  );
}
