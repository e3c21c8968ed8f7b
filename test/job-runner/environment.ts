/** Converts an `environment` mapping to the strings that a process gets. */
import { ConfigError } from './config-error.ts';
import { substitute, unescapeText, wholeExpression } from './expressions.ts';
import type { Values } from './expressions.ts';
import { mapping } from './mapping.ts';

export function resolveEnvironment(
  environment: unknown,
  values: Values,
  where: string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(mapping(environment, where)).map(([name, value]) => [
      name,
      variableText(value, values, `${where}.${name}`),
    ]),
  );
}

/** A boolean parameter becomes 1 or 0, a literal boolean becomes true or false. */
function variableText(value: unknown, values: Values, where: string): string {
  const parameter = wholeExpression(value, values, where);
  if (typeof parameter === 'boolean') return parameter ? '1' : '0';
  const resolved = substitute(value, values, where);
  if (typeof resolved === 'string') return unescapeText(resolved);
  if (typeof resolved === 'boolean') return String(resolved);
  if (typeof resolved !== 'number') throw new ConfigError(where, 'must be a string, a number or a boolean');
  if (Math.abs(resolved) >= 1_000_000) {
    throw new ConfigError(
      where,
      `CircleCI writes ${resolved} with an exponent: quote a number of more than six digits`,
    );
  }
  return String(resolved);
}
