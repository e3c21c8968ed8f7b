/** Values of claims, and errors about them, as Go has and prints them. */
import { z } from 'zod';

/** What Go's encoding/json makes of a claim: every number is a float64, as in JavaScript. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export const JsonValue: z.ZodType<Json> = z.json();
export const JsonRecord: z.ZodType<JsonObject> = z.record(z.string(), JsonValue);

/** An error with which Auth refuses a join; its text goes to Auth's log alone. */
export class Refusal extends Error {}

/** Go's runtime panics, in a goroutine that does not recover (generic-oidc.md, "Traps with CircleCI's claim names"). */
export class GoPanic extends Error {}

/** Teleport has it, and this cluster does not. */
export class NotModelled extends Error {
  constructor(what: string) {
    super(`the embedded cluster does not model ${what}`);
  }
}

/** Adds a context to refusals, as `trace.Wrap(err, context)` prints it: the cause below it, one tab deeper. */
export function within<T>(context: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw inContext(context, error);
  }
}

export function inContext(context: string, error: unknown): unknown {
  return error instanceof Refusal ? new Refusal(`${context}\n\t${error.message.replaceAll('\n', '\n\t')}`) : error;
}

/** The own property alone: `constructor` is not a claim. */
export function memberOf(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** `%T`. */
export function goType(value: Json): string {
  if (typeof value === 'string' || value === null) {
    return value === null ? '<nil>' : 'string';
  }
  if (typeof value === 'object') {
    return isList(value) ? '[]interface {}' : 'map[string]interface {}';
  }
  return typeof value === 'boolean' ? 'bool' : 'float64';
}

/** `%v`. */
export function goText(value: Json): string {
  if (typeof value === 'number') {
    return goFloat(value);
  }
  if (typeof value !== 'object') {
    return String(value);
  }
  if (value === null) {
    return '<nil>';
  }
  return isList(value)
    ? `[${value.map(goText).join(' ')}]`
    : `map[${Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, member]) => `${key}:${goText(member)}`)
        .join(' ')}]`;
}

/** `%q`, for texts without characters that JSON and Go escape differently. */
export const goQuoted = (text: string): string => JSON.stringify(text);

/** The shortest digits; below 1e-4 and from 1e+06 on with an exponent of at least two digits (strconv, format `g`). */
function goFloat(value: number): string {
  const [digits = '', exponentText = ''] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) {
    return String(value);
  }
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Integers from 2^53 on are not compared (docs/pages/includes/provision-token/generic-oidc-security-notes.mdx). */
export function isUnsafeInteger(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) >= 2 ** 53;
}
