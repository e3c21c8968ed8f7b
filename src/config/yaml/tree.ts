/** The values of a YAML document: aliases and merge keys resolved, nothing coerced. */
import { Scalar } from './scalar.ts';

/** In the order of the file; a key whose value is null is there, with `undefined`. */
// An interface and not an alias, since it refers to itself.
export interface Mapping extends ReadonlyMap<string, YamlValue | undefined> {
  readonly size: number;
}

export type YamlValue = Scalar | readonly YamlValue[] | Mapping;

export type Path = readonly PropertyKey[];

export function isList(value: unknown): value is readonly YamlValue[] {
  return Array.isArray(value);
}

export function isMapping(value: unknown): value is Mapping {
  return value instanceof Map;
}

/** As in `outputs[0].destination.path`; the document itself is `document`. */
export function formatPath(path: Path): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text === '' ? 'document' : text.replace(/^\./, '');
}

/** As yaml.v3 names a value in its messages: a scalar by tag and text, a collection by its tag. */
export function describe(value: unknown): string {
  if (value instanceof Scalar) return `!!${value.tag} \`${shorten(value.text)}\``;
  return isList(value) ? '!!seq' : '!!map';
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

/** A copy of `root` without the key at `path`. */
export function withoutKey(root: Mapping, path: Path): Mapping {
  const [key, ...rest] = path;
  const copy = new Map(root);
  if (typeof key !== 'string') return copy;
  if (rest.length === 0) copy.delete(key);
  else copy.set(key, withoutKeyInside(root.get(key), rest));
  return copy;
}

function withoutKeyInside(value: YamlValue | undefined, path: Path): YamlValue | undefined {
  if (isMapping(value)) return withoutKey(value, path);
  if (!isList(value)) return value;
  const [at, ...rest] = path;
  return value.map((item, index) => (index === at ? (withoutKeyInside(item, rest) ?? item) : item));
}
