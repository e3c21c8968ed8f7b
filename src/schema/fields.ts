/** Fields of a configuration file: each reads a YAML value as yaml.v3 reads it into a Go field of that type. */
import * as z from 'zod/mini';
import type { OtherNames } from './other-names.ts';
import { unexpandedPath, unexpandedValue } from './unexpanded.ts';
import { closestMatch, durationAdvice, parseDuration } from './values.ts';
import { describe, isList, isMapping, type Mapping, Scalar } from './yaml/tree.ts';

/** A schema that reads any YAML value, including an absent one. */
export type Field<T> = z.ZodMiniType<T>;

/** Collects the problems of one value. */
export type Context = z.core.ParsePayload;

/** Reports a problem of the value being read, or of the one at `path` inside it. */
export function refuse(context: Context, message: string, path: readonly PropertyKey[] = []): never {
  context.issues.push({ code: 'custom', message, input: context.value, path: [...path] });
  return z.NEVER;
}

/** Why a text cannot be meant literally, or `undefined`. */
type Rule = (text: string) => string | undefined;

/** Any scalar by its source text; absent, null and empty are the same. */
export const text = textBy(unexpandedValue);

/** A path of a file or folder, or a URI with one. */
export const pathText = textBy(unexpandedPath);

/** Text that can contain expressions: it is a template itself, or is checked later if it is used. */
export const anyExpression = textBy(() => undefined);

/** Text that must be there. */
export const requiredText = (message: string): Field<string> => requiredTextBy(unexpandedValue, message);

export const requiredPath = (message: string): Field<string> => requiredTextBy(unexpandedPath, message);

function textBy(rule: Rule): Field<string | undefined> {
  return z.transform((input, context) => readText(input, context, rule));
}

function requiredTextBy(rule: Rule, message: string): Field<string> {
  return z.transform((input, context) => {
    const issuesBefore = context.issues.length;
    const value = readText(input, context, rule);
    return value ?? (context.issues.length > issuesBefore ? z.NEVER : refuse(context, message));
  });
}

/** A Go bool, or `undefined` if it is absent. */
export const optionalFlag: Field<boolean | undefined> = z.transform((input, context) => {
  if (isUnset(input)) return undefined;
  const value = input instanceof Scalar ? booleanOf(input) : undefined;
  return value ?? refuseKind(context, input, 'bool; write true or false');
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
    return refuseKind(context, input, `time.Duration; ${durationAdvice(input instanceof Scalar ? input.text : '')}`);
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
    return isList(input) ? input : refuseKind(context, input, 'a list; write each item after "- "');
  });
  return z.pipe(items, z.array(item));
}

/** An item or value that must be text but may be empty. */
export const anyText: Field<string> = orEmpty(text);

export const textList: Field<readonly string[]> = list(anyText);

export const pathList: Field<readonly string[]> = list(orEmpty(pathText));

function orEmpty(field: Field<string | undefined>): Field<string> {
  return z.pipe(
    field,
    z.transform((value: string | undefined) => value ?? ''),
  );
}

/** A mapping from any keys; absent and null are empty. */
export function record<T>(value: Field<T>): Field<Readonly<Record<string, T>>> {
  const entries = z.transform((input: unknown, context: Context): Record<string, unknown> => {
    if (isUnset(input)) return {};
    return isMapping(input) ? Object.fromEntries(input) : refuseKind(context, input, 'map');
  });
  return z.pipe(entries, z.record(z.string(), value));
}

export const textRecord: Field<Readonly<Record<string, string>>> = record(anyText);

/** A key that is known but has no effect. */
export const ignored: Field<undefined> = z.transform(() => undefined);

function readText(input: unknown, context: Context, rule: Rule): string | undefined {
  if (isUnset(input)) return undefined;
  if (!(input instanceof Scalar)) return refuseKind(context, input, 'string');
  if (input.text === '') return undefined;
  const refusal = rule(input.text);
  return refusal === undefined ? input.text : refuse(context, refusal);
}

/** Refuses a value that is not of the kind `wanted`, in the words of yaml.v3; often it is a variable. */
export function refuseKind(context: Context, input: unknown, wanted: string): never {
  const unexpanded = input instanceof Scalar ? unexpandedValue(input.text) : undefined;
  return refuse(context, unexpanded ?? `cannot unmarshal ${describe(input)} into ${wanted}`);
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

// Mappings with known keys, and mappings whose keys depend on their `type`.

type Shape = Readonly<Record<string, Field<unknown>>>;
export type SectionOf<S extends Shape> = z.output<z.ZodMiniObject<S>>;

/**
 * A mapping with these keys; an absent one is empty. Reports unknown keys, with the nearest known one.
 * @param fate what happens to an unknown key
 * @param otherNames advice for keys that are known elsewhere
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
    noteUnknownKeys(mapping, keys, context, { fate, otherNames });
    return readBy(object, Object.fromEntries(mapping), context);
  });
}

export function noteUnknownKeys(
  mapping: Mapping,
  known: readonly string[],
  context: Context,
  { fate = 'is ignored', otherNames = {} }: { readonly fate?: string; readonly otherNames?: OtherNames },
): void {
  for (const key of mapping.keys()) {
    if (known.includes(key)) continue;
    const advice = Object.hasOwn(otherNames, key) ? otherNames[key] : nearestAdvice(key, known);
    noteUnknownKey(context, key, `unknown key "${key}" ${fate}${advice ?? ''}`);
  }
}

/** As many as a message can list. */
const FEW_TYPES = 5;

interface Refusals {
  readonly absent: string;
  readonly unrecognized: (type: string) => string;
  /** What to write if there is no `type`. */
  readonly untyped: (mapping: Mapping) => string;
  /** What to write instead of a text. */
  readonly instead: (text: string) => string;
  /** Is read even if the type is unknown, so that its problems are reported too. */
  readonly always?: z.ZodMiniType;
}

/** A mapping that is read according to its `type`. */
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
        : nearestAdvice(type, types) || (types.length > FEW_TYPES ? '' : `; expected one of ${types.join(', ')}`);
    return refuse(context, `${refusals.unrecognized(type)}${advice}`, ['type']);
  });
}

/**
 * Reads `input` by `schema` and notes its problems.
 * @param keyOf the key in the file for the first name of a path, where they differ
 */
export function readBy<T>(
  schema: z.ZodMiniType<T>,
  input: unknown,
  context: Context,
  keyOf: (name: PropertyKey) => PropertyKey = (name) => name,
): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const params = { [UNKNOWN_KEY]: isUnknownKey(issue) };
    const path = issue.path.map((name, at) => (at === 0 ? keyOf(name) : name));
    context.issues.push({ code: 'custom', message: issue.message, input, path, params });
  }
  return z.NEVER;
}

const UNKNOWN_KEY = 'unknownKey';

function nearestAdvice(word: string, known: readonly string[]): string {
  const meant = closestMatch(word, known);
  return meant === undefined ? '' : `; did you mean "${meant}"?`;
}

function noteUnknownKey(context: Context, key: string, message: string): void {
  context.issues.push({ code: 'custom', message, input: context.value, path: [key], params: { [UNKNOWN_KEY]: true } });
}

export function isUnknownKey(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && issue.params?.[UNKNOWN_KEY] === true;
}
