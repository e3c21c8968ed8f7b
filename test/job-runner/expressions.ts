/** Replaces `<< parameters.x >>` and `<< pipeline.x >>`. */
import { ConfigError } from './config-error.ts';
import { isMapping } from './mapping.ts';
import type { ParameterValue } from './parameters.ts';

/** The names that expressions can use at one place. */
export interface Values {
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  /** By the name after `pipeline.`, such as `git.branch`. */
  readonly pipeline: ReadonlyMap<string, ParameterValue>;
}

const EXPRESSION = /(?<!\\)<<\s*(parameters|pipeline)\.([\w.-]+)\s*>>/g;
const WHOLE = /^<<\s*(parameters|pipeline)\.([\w.-]+)\s*>>$/;
const UNCLOSED = /(?<!\\)<</;

/**
 * Replaces the expressions in every string of `value`. A string that is exactly one expression gets the value with its
 * type.
 */
export function substitute(value: unknown, values: Values, where: string): unknown {
  if (typeof value === 'string') return substituteText(value, values, where);
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, values, `${where}[${index}]`));
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, substitute(item, values, `${where}.${key}`)]),
  );
}

/** The value, if the text is exactly one expression. */
export function wholeExpression(value: unknown, values: Values, where: string): ParameterValue | undefined {
  const [, kind, name] = (typeof value === 'string' ? WHOLE.exec(value.trim()) : undefined) ?? [];
  return kind === undefined || name === undefined ? undefined : lookUp(kind, name, values, where);
}

/** The last step of the compiler: `\<<` becomes `<<`. */
export function unescapeText(text: string): string {
  return text.replaceAll('\\<<', '<<');
}

function substituteText(source: string, values: Values, where: string): unknown {
  const whole = wholeExpression(source, values, where);
  if (whole !== undefined) return whole;
  const rest = source.replace(EXPRESSION, '');
  if (UNCLOSED.test(rest)) {
    throw new ConfigError(where, `Unclosed '<<' tag in string "${excerpt(source)}": "<<" must be escaped as "\\<<"`);
  }
  return source.replace(EXPRESSION, (_match, kind: string, name: string) => asText(lookUp(kind, name, values, where)));
}

function lookUp(kind: string, name: string, values: Values, where: string): ParameterValue {
  const found = (kind === 'parameters' ? values.parameters : values.pipeline).get(name);
  if (found === undefined) throw new ConfigError(where, `${kind}.${name} is not declared here`);
  return found;
}

function asText(value: ParameterValue): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function excerpt(source: string): string {
  const at = Math.max(source.search(UNCLOSED), 0);
  return source.slice(at, at + 40);
}
