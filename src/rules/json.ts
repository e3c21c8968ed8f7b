/** The values of claims and of rules, as Go's encoding/json decodes them: every number is a float64. */
import * as z from 'zod/mini';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** The claims of an OIDC token. */
export type Claims = JsonObject;

const Value: z.ZodMiniType<Json> = z.json();
const ClaimSet: z.ZodMiniType<Claims> = z.record(z.string(), Value);

/** Undefined for anything but a JSON object. */
export function claimsIn(value: unknown): Claims | undefined {
  return ClaimSet.safeParse(value).data;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isJsonList(value);
}

export function isJsonList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** An own property: `constructor` is not a claim. */
export function memberOf(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** For messages; `undefined` is an absent claim. */
export function typeOf(
  value: Json | undefined,
): 'absent' | 'null' | 'string' | 'boolean' | 'number' | 'list' | 'object' {
  if (value === undefined) return 'absent';
  if (value === null) return 'null';
  if (isJsonList(value)) return 'list';
  if (isJsonObject(value)) return 'object';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'boolean' : 'number';
}

const MAX_SHOWN = 160;

/** A value for messages, shortened; `undefined` is an absent claim. */
export function shown(value: Json | undefined): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}

/** Teleport compares no integers that a float64 cannot hold exactly. */
export function isUnsafeInteger(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER;
}
