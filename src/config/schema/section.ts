/** Mappings with known keys, and mappings whose keys depend on their `type`. */
import * as z from 'zod/mini';
import { nearest } from '../nearest.ts';
import { unexpandedValue } from '../unexpanded.ts';
import { Scalar } from '../yaml/scalar.ts';
import { isMapping, type Mapping } from '../yaml/tree.ts';
import type { Context, Field } from './field.ts';
import { refuse, refuseKind } from './field.ts';
import type { OtherNames } from './other-names.ts';

type Shape = Readonly<Record<string, Field<unknown>>>;
export type SectionOf<S extends Shape> = z.output<z.ZodMiniObject<S>>;

/**
 * A mapping with these keys; absent and null are an empty one. Unknown keys are noted, with the nearest known one.
 * @param fate what becomes of an unknown key
 * @param otherNames what to say of keys that are known elsewhere
 */
export function section<S extends Shape>(
  shape: S,
  fate = 'is ignored',
  otherNames: OtherNames = {},
): Field<SectionOf<S>> {
  const keys = Object.keys(shape);
  const object = z.object(shape);
  return z.transform((input, context): SectionOf<S> => {
    const mapping = input ?? new Map();
    if (!isMapping(mapping)) return refuseKind(context, input, 'a mapping');
    for (const key of mapping.keys()) {
      if (keys.includes(key)) continue;
      const advice = Object.hasOwn(otherNames, key) ? otherNames[key] : nearestAdvice(key, keys);
      noteUnknownKey(context, key, `unknown key "${key}" ${fate}${advice ?? ''}`);
    }
    return readBy(object, Object.fromEntries(mapping), context);
  });
}

/** So many can be listed in a message. */
const FEW_TYPES = 5;

interface Refusals {
  readonly absent: string;
  readonly unrecognized: (type: string) => string;
  /** What to write where there is no `type`. */
  readonly untyped: (mapping: Mapping) => string;
  /** What to write in place of a text. */
  readonly instead: (text: string) => string;
  /** What is read whatever the type is, so that its faults come with an unknown type. */
  readonly always?: z.ZodMiniType;
}

/** A mapping that its `type` key tells how to read. */
export function byType<T>(fields: Readonly<Record<string, Field<T>>>, refusals: Refusals): Field<T> {
  return z.transform((input, context): T => {
    if (input === undefined) return refuse(context, refusals.absent);
    if (!isMapping(input)) {
      const advice = input instanceof Scalar ? `; write ${refusals.instead(input.text)}` : '';
      return refuseKind(context, input, `a mapping${advice}`);
    }
    const given = input.get('type');
    const type = given instanceof Scalar ? given.text : '';
    const field = Object.entries(fields).find(([name]) => name === type)?.[1];
    if (field !== undefined) return readBy(field, input, context);
    if (refusals.always !== undefined) readBy(refusals.always, Object.fromEntries(input), context);
    const unexpanded = unexpandedValue(type);
    if (unexpanded !== undefined) return refuse(context, unexpanded, ['type']);
    const types = Object.keys(fields);
    const advice =
      type === ''
        ? `: "type" is missing; write ${refusals.untyped(input)}`
        : nearestAdvice(type, types) || (types.length > FEW_TYPES ? '' : `; it is one of ${types.join(', ')}`);
    return refuse(context, `${refusals.unrecognized(type)}${advice}`, ['type']);
  });
}

/** Reads `input` by `schema`, handing its faults on. */
export function readBy<T>(schema: z.ZodMiniType<T>, input: unknown, context: Context): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const params = { [UNKNOWN_KEY]: isUnknownKey(issue) };
    context.issues.push({ code: 'custom', message: issue.message, input, path: [...issue.path], params });
  }
  return z.NEVER;
}

const UNKNOWN_KEY = 'unknownKey';

function nearestAdvice(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant === undefined ? '' : `; did you mean "${meant}"?`;
}

function noteUnknownKey(context: Context, key: string, message: string): void {
  context.issues.push({ code: 'custom', message, input: context.value, path: [key], params: { [UNKNOWN_KEY]: true } });
}

export function isUnknownKey(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && issue.params?.[UNKNOWN_KEY] === true;
}
