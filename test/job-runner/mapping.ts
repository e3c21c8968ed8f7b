/** Reads values of unknown types. */
import { ConfigError } from './config-error.ts';

export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An absent value is an empty mapping. */
export function mapping(value: unknown, where: string): Mapping {
  if (value === undefined || value === null) return {};
  if (isMapping(value)) return value;
  throw new ConfigError(where, 'must be a mapping');
}

export function list(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new ConfigError(where, 'must be a list');
}

export function optionalText(value: unknown, where: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new ConfigError(where, 'must be a string');
}

export function text(value: unknown, where: string): string {
  const found = optionalText(value, where);
  if (found === undefined) throw new ConfigError(where, 'is missing');
  return found;
}

/** Rejects every key that is not listed, so that nothing is ignored silently. */
export function requireKeys(value: Mapping, allowed: readonly string[], where: string): void {
  const unknown = Object.keys(value).filter((key) => !allowed.includes(key));
  if (unknown.length > 0) {
    throw new ConfigError(where, `this runner does not know ${unknown.join(', ')} (it knows ${allowed.join(', ')})`);
  }
}
