/** Reads as much of a configuration file as is valid, and reports the rest. */
import type { Problem } from '../errors.ts';
import { type Field, isUnknownKey } from './fields.ts';
import { closestMatch } from './values.ts';
import type { YamlDocument } from './yaml/document.ts';
import { formatPath, isList, isMapping, type Mapping, type Path, valueAt, withoutKeys } from './yaml/tree.ts';

export interface UnknownKey extends Problem {
  /** Whether the value was meant to be outputs. */
  readonly holdsOutputs: boolean;
}

export interface Decoded<T> {
  /** `undefined` only when the file as a whole could not be read. */
  readonly value: T | undefined;
  /** What `value` was read from: the file without what could not be read. */
  readonly root: Mapping;
  readonly problems: readonly Problem[];
  readonly unknownKeys: readonly UnknownKey[];
  /** Of each top-level list, the items that are not in `value`, counted as in the file. */
  readonly dropped: Dropped;
}

type Dropped = ReadonlyMap<string, ReadonlySet<number>>;

/**
 * Removes and reports unknown keys. A top-level key with a problem, or the item of a top-level list that has it, is
 * removed too, so that the rest can be checked. `schema` must accept a file without any key.
 * @param outputKeys keys of an output; at the top of a file they show that its outputs are one level too high
 */
export function decode<T>(schema: Field<T>, document: YamlDocument, outputKeys: ReadonlySet<PropertyKey>): Decoded<T> {
  const unknownKeys: UnknownKey[] = [];
  let problems: readonly Problem[] = [];
  let { root } = document;
  let dropped: Dropped = new Map();
  // Every pass removes at least one key, so there are never more passes than keys.
  for (;;) {
    const result = schema.safeParse(root);
    if (result.success) return { value: result.data, root, problems, unknownKeys, dropped };
    const { issues } = result.error;
    const unknown = issues.filter(isUnknownKey);
    if (unknown.length > 0) {
      // An unknown key can hide other problems of its section, so problems are collected in the next pass.
      unknownKeys.push(
        ...unknown.map((issue) => ({
          ...problemOf(issue, document),
          holdsOutputs: holdsOutputs(issue.path, root, outputKeys),
        })),
      );
      root = withoutKeys(
        root,
        unknown.map(({ path }) => path),
      );
      continue;
    }
    problems = [...problems, ...issues.map((issue) => problemOf(issue, document))];
    if (issues.some(({ path }) => path.length === 0)) return { value: undefined, root, problems, unknownKeys, dropped };
    const paths = issues.map(({ path }) => path);
    const items = invalidItems(paths, dropped);
    dropped = new Map([...dropped, ...items]);
    root = withoutItems(
      withoutKeys(
        root,
        paths.filter(([key]) => !items.has(String(key))).map((path) => path.slice(0, 1)),
      ),
      items,
    );
  }
}

/** Skips lists that have lost items before: their indices no longer match the file. */
function invalidItems(paths: readonly Path[], before: Dropped): Dropped {
  const items = new Map<string, Set<number>>();
  for (const [key] of paths) {
    const inside = paths.filter(([first]) => first === key).map(([, at]) => at);
    if (typeof key !== 'string' || before.has(key)) continue;
    const indices = inside.filter((at) => typeof at === 'number');
    if (indices.length === inside.length) items.set(key, new Set(indices));
  }
  return items;
}

function withoutItems(root: Mapping, items: Dropped): Mapping {
  const copy = new Map(root);
  for (const [key, indices] of items) {
    const list = root.get(key);
    if (isList(list)) {
      copy.set(
        key,
        list.filter((_, at) => !indices.has(at)),
      );
    }
  }
  return copy;
}

/** Decides by the key or by the value; anchors for use elsewhere in the file look similar. */
function holdsOutputs(path: Path, root: Mapping, outputKeys: ReadonlySet<PropertyKey>): boolean {
  const value = valueAt(root, path);
  const [key = ''] = path.slice(-1);
  if (value === undefined) return false;
  if (path.length === 1 && outputKeys.has(key)) return true;
  if (isList(value)) return value.some((item) => isMapping(item)) || (value.length > 0 && isNamedLikeOutputs(key));
  if (!isMapping(value)) return false;
  return (value.size > 0 && isNamedLikeOutputs(key)) || [...value.keys()].some(isNamedLikeOutputs);
}

function isNamedLikeOutputs(key: PropertyKey): boolean {
  return typeof key === 'string' && closestMatch(key, ['outputs', 'services', 'destinations']) !== undefined;
}

function problemOf(
  { path, message }: { readonly path: Path; readonly message: string },
  document: YamlDocument,
): Problem {
  const line = document.lineOf(path);
  return { path: formatPath(path), ...(line === undefined ? {} : { line }), message };
}
