/** Fields of a configuration file: each reads a YAML value as yaml.v3 reads it into a Go field of that type. */
import * as z from 'zod/mini';
import { parseDuration } from '../duration.ts';
import { Scalar } from '../yaml/scalar.ts';
import { describe, isList, isMapping } from '../yaml/tree.ts';

/** A schema that reads any YAML value, an absent one too. */
export type Field<T> = z.ZodMiniType<T>;

/** Collects the faults of one value. */
export type Context = z.core.ParsePayload;

/** Notes what is wrong with the value being read, or with the one at `path` inside it. */
export function refuse(context: Context, message: string, path: readonly PropertyKey[] = []): never {
  context.issues.push({ code: 'custom', message, input: context.value, path: [...path] });
  return z.NEVER;
}

/** Any scalar by its source text; absent, null and empty are the same. */
export const text: Field<string | undefined> = z.transform((input, context) => readText(input, context));

/** Text that must be there. */
export function requiredText(message: string): Field<string> {
  return z.transform((input, context) => {
    const issuesBefore = context.issues.length;
    const value = readText(input, context);
    return value ?? (context.issues.length > issuesBefore ? z.NEVER : refuse(context, message));
  });
}

/** A Go bool, or `undefined` when the file leaves it open. */
export const optionalFlag: Field<boolean | undefined> = z.transform((input, context) => {
  if (isUnset(input)) return undefined;
  const value = input instanceof Scalar ? booleanOf(input) : undefined;
  return value ?? refuse(context, `cannot unmarshal ${describe(input)} into bool; write true or false`);
});

export const flag: Field<boolean> = z.pipe(
  optionalFlag,
  z.transform((value: boolean | undefined) => value ?? false),
);

/** Milliseconds; absent and zero both mean the default. */
export const duration: Field<number | undefined> = z.transform((input, context) => {
  if (isUnset(input)) return undefined;
  const durationMs = input instanceof Scalar && input.tag === 'str' ? parseDuration(input.text) : undefined;
  if (durationMs === undefined) {
    const advice = 'write a number with its unit, such as 90s, 30m or 1h30m';
    return refuse(context, `cannot unmarshal ${describe(input)} into time.Duration; ${advice}`);
  }
  return durationMs === 0 ? undefined : durationMs;
});

/** One of a few words, by source text. */
export function word<const T extends string, const D extends string>(
  words: readonly T[],
  options: { readonly default: D; readonly refusal: (given: string) => string },
): Field<T | D> {
  return z.pipe(
    text,
    z.transform((given: string | undefined, context): T | D => {
      if (given === undefined) return options.default;
      return words.find((candidate) => candidate === given) ?? refuse(context, options.refusal(given));
    }),
  );
}

/** A list; absent and null are empty, and a single value is not wrapped. */
export function list<T>(item: Field<T>): Field<readonly T[]> {
  const items = z.transform((input: unknown, context: Context): readonly unknown[] => {
    if (isUnset(input)) return [];
    return isList(input)
      ? input
      : refuse(context, `cannot unmarshal ${describe(input)} into a list; write each item after "- "`);
  });
  return z.pipe(items, z.array(item));
}

/** An item or value that must be text but may be empty. */
export const anyText: Field<string> = z.pipe(
  text,
  z.transform((value: string | undefined) => value ?? ''),
);

export const textList: Field<readonly string[]> = list(anyText);

/** A mapping from any keys; absent and null are empty. */
export function record<T>(value: Field<T>): Field<Readonly<Record<string, T>>> {
  const entries = z.transform((input: unknown, context: Context): Record<string, unknown> => {
    if (isUnset(input)) return {};
    return isMapping(input)
      ? Object.fromEntries(input)
      : refuse(context, `cannot unmarshal ${describe(input)} into map`);
  });
  return z.pipe(entries, z.record(z.string(), value));
}

export const textRecord: Field<Readonly<Record<string, string>>> = record(anyText);

/** A key that is known but means nothing to this program. */
export const ignored: Field<undefined> = z.transform(() => undefined);

function readText(input: unknown, context: Context): string | undefined {
  if (isUnset(input)) return undefined;
  if (input instanceof Scalar) return input.text === '' ? undefined : input.text;
  return refuse(context, `cannot unmarshal ${describe(input)} into string`);
}

function isUnset(input: unknown): boolean {
  return input === undefined || (input instanceof Scalar && input.tag === 'null');
}

const WORDS_OF_BOTH_STYLES: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
]);

/** yaml.v3 takes the YAML 1.1 words quoted or not, but `true` and `false` only when they are not quoted. */
function booleanOf(scalar: Scalar): boolean | undefined {
  if (scalar.tag === 'bool') return scalar.text.toLowerCase() === 'true';
  return WORDS_OF_BOTH_STYLES.get(scalar.text);
}
