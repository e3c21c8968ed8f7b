/** The values of a YAML document: aliases and merge keys resolved, nothing coerced. */

/** In the order of the file; a key whose value is null is present, with `undefined`. */
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

export function valueAt(root: Mapping, path: Path): YamlValue | undefined {
  let value: YamlValue | undefined = root;
  for (const key of path) {
    if (isMapping(value) && typeof key === 'string') value = value.get(key);
    else value = isList(value) && typeof key === 'number' ? value[key] : undefined;
  }
  return value;
}

/** As yaml.v3 names a value in its messages: a scalar by tag and text, a collection by its tag. */
export function describe(value: unknown): string {
  if (value instanceof Scalar) return `!!${value.tag} \`${shorten(value.text)}\``;
  return isList(value) ? '!!seq' : '!!map';
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

/** A copy of `root` without the keys at `paths`. */
export function withoutKeys(root: Mapping, paths: readonly Path[]): Mapping {
  const copy = new Map(root);
  for (const [key, inside] of byFirst(paths)) {
    if (typeof key !== 'string') continue;
    if (inside.some((path) => path.length === 0)) copy.delete(key);
    else copy.set(key, withoutKeysInside(root.get(key), inside));
  }
  return copy;
}

function withoutKeysInside(value: YamlValue | undefined, paths: readonly Path[]): YamlValue | undefined {
  if (isMapping(value)) return withoutKeys(value, paths);
  if (!isList(value)) return value;
  const copy = [...value];
  for (const [at, inside] of byFirst(paths)) {
    const item = typeof at === 'number' ? withoutKeysInside(copy[at], inside) : undefined;
    if (typeof at === 'number' && item !== undefined) copy[at] = item;
  }
  return copy;
}

/** Groups paths by their first step, so that each collection is copied only once. */
function byFirst(paths: readonly Path[]): ReadonlyMap<PropertyKey, readonly Path[]> {
  const grouped = new Map<PropertyKey, Path[]>();
  for (const [first, ...rest] of paths) {
    if (first === undefined) continue;
    const others = grouped.get(first);
    if (others === undefined) grouped.set(first, [rest]);
    else others.push(rest);
  }
  return grouped;
}

// YAML scalars as they are written, so that each setting can read them as its own type.

type ScalarTag = 'str' | 'int' | 'float' | 'bool' | 'null';

const PLAIN_TAGS: readonly (readonly [ScalarTag, RegExp])[] = [
  ['null', /^(?:~|null|Null|NULL|)$/],
  ['bool', /^(?:true|True|TRUE|false|False|FALSE)$/],
  ['int', /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|\d[\d_]*)$/],
  ['float', /^(?:[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/],
];

export class Scalar {
  /** The source text of a plain scalar, the content of a quoted or block one. */
  readonly text: string;
  /** Its type in YAML's core schema. */
  readonly tag: ScalarTag;
  /** Whether it has neither quotes nor a tag, so that its form decides its type. */
  readonly isPlain: boolean;

  constructor(text: string, options: { readonly plain: boolean }) {
    this.text = text;
    this.isPlain = options.plain;
    this.tag = options.plain ? tagOf(text) : 'str';
  }
}

function tagOf(text: string): ScalarTag {
  return PLAIN_TAGS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'str';
}
