/** Converts the parser's nodes to plain values with their lines. */
import { type Alias, isAlias, isCollection, isMap, isNode, isScalar, isSeq, type Node, type Pair } from 'yaml';
import type { Problem } from '../../errors.ts';
import { formatPath, isList, isMapping, type Mapping, type Path, Scalar, type YamlValue } from './tree.ts';

export interface Converted {
  /** `undefined` for null. */
  readonly value: YamlValue | undefined;
  /** By formatted path. */
  readonly lines: ReadonlyMap<string, number>;
  readonly problems: readonly Problem[];
}

/** Far above any real file; aliases of aliases would otherwise grow without bound. */
const MAX_NODES = 10_000;
export const MAX_DEPTH = 100;

/** The value of `node`. If there are `problems`, which yaml.v3 would refuse too, do not use it. */
export function convert(node: Node, lineAtOffset: (offset: number) => number): Converted {
  const converter = new Converter(lineAtOffset);
  const value = converter.value(node, []);
  return { value, lines: converter.lines, problems: converter.problems };
}

class Converter {
  readonly lines = new Map<string, number>();
  readonly problems: Problem[] = [];
  readonly #lineAtOffset: (offset: number) => number;
  /** The anchors so far. The parser would search the whole file for each alias. */
  readonly #anchors = new Map<string, Node>();
  /** The collections around the current node, to detect an alias of one of them. */
  readonly #open = new Set<Node>();
  #nodes = 0;
  /** How many aliases lead to the current node. */
  #aliases = 0;

  constructor(lineAtOffset: (offset: number) => number) {
    this.#lineAtOffset = lineAtOffset;
  }

  value(node: unknown, path: Path): YamlValue | undefined {
    this.#nodes += 1;
    if (this.#isTooLarge || path.length > MAX_DEPTH) {
      this.#refuseSize();
      return undefined;
    }
    if (isAlias(node)) return this.#alias(node, path);
    this.#noteAnchor(node);
    if (isScalar(node)) return scalarValue(node);
    return isNode(node) ? this.#collection(node, path) : undefined;
  }

  get #isTooLarge(): boolean {
    return this.#nodes > MAX_NODES;
  }

  /** A later anchor replaces one of the same name from there on. Repeating by an alias does not count as later. */
  #noteAnchor(node: unknown): void {
    if (this.#aliases > 0 || !(isScalar(node) || isCollection(node)) || node.anchor === undefined) return;
    this.#anchors.set(node.anchor, node);
  }

  #alias(node: Alias, path: Path): YamlValue | undefined {
    const target = this.#anchors.get(node.source);
    if (target === undefined) this.#refuse(node, path, `unknown anchor '${node.source}' referenced`);
    this.#aliases += 1;
    const value = this.value(target, path);
    this.#aliases -= 1;
    return value;
  }

  #collection(node: Node, path: Path): YamlValue | undefined {
    if (this.#open.has(node)) {
      this.#refuse(node, path, 'anchor value contains itself');
      return undefined;
    }
    this.#open.add(node);
    const value = isSeq(node)
      ? this.#list(node.items, path)
      : isMap(node)
        ? this.#mapping(node.items, path)
        : undefined;
    this.#open.delete(node);
    return value;
  }

  #list(items: readonly unknown[], path: Path): YamlValue[] {
    const values: YamlValue[] = [];
    for (const [index, item] of items.entries()) {
      if (this.#isTooLarge) break;
      this.#note(item, [...path, index]);
      values.push(this.value(item, [...path, index]) ?? new Scalar('', { plain: true }));
    }
    return values;
  }

  #mapping(pairs: readonly Pair[], path: Path): Mapping {
    const own = new Map<string, YamlValue | undefined>();
    const merged: (readonly [string, YamlValue | undefined])[] = [];
    for (const { key, value } of pairs) {
      if (this.#isTooLarge) break;
      const name = this.#key(key, path);
      if (name === undefined) continue;
      if (isMergeKey(key)) merged.push(...this.#merge(value, path));
      else if (own.has(name)) this.#refuseDuplicate(key, [...path, name]);
      else {
        this.#note(key, [...path, name]);
        own.set(name, this.value(value, [...path, name]));
      }
    }
    // The mapping's own keys take precedence over merged ones, wherever the merge key is.
    return new Map([...merged, ...own]);
  }

  /** The keys that `<<` merges; earlier mappings take precedence. */
  #merge(node: unknown, path: Path): (readonly [string, YamlValue | undefined])[] {
    const source = this.value(node, path);
    const mappings = isList(source) ? source : [source];
    if (mappings.every((mapping) => isMapping(mapping))) return [...mappings].reverse().flatMap((map) => [...map]);
    this.#refuse(node, path, 'map merge requires map or sequence of maps as the value');
    return [];
  }

  #key(node: unknown, path: Path): string | undefined {
    const value = this.value(node, path);
    if (value instanceof Scalar) return value.text;
    if (value === undefined && isScalar(node)) return String(node.value);
    this.#refuse(node, path, 'a key must be plain text; a value that begins with "{" needs quotes');
    return undefined;
  }

  #note(node: unknown, path: Path): void {
    const line = this.#line(node);
    if (line !== undefined) this.lines.set(formatPath(path), line);
  }

  #line(node: unknown): number | undefined {
    const offset = isNode(node) ? node.range?.[0] : undefined;
    return offset === undefined ? undefined : this.#lineAtOffset(offset);
  }

  #refuse(node: unknown, path: Path, message: string): void {
    const line = this.#line(node);
    this.problems.push({ path: formatPath(path), ...(line === undefined ? {} : { line }), message });
  }

  #refuseDuplicate(node: unknown, path: Path): void {
    const first = this.lines.get(formatPath(path));
    this.#refuse(node, path, `mapping key "${String(path.at(-1))}" already defined at line ${first ?? 'unknown'}`);
  }

  #refuseSize(): void {
    const message = `the file has more than ${MAX_NODES} values, or more than ${MAX_DEPTH} levels`;
    if (this.problems.some((problem) => problem.message === message)) return; // every further value has the same problem
    this.problems.push({ path: 'document', message });
  }
}

function isMergeKey(node: unknown): boolean {
  return isScalar(node) && node.value === '<<' && node.type === 'PLAIN';
}

const NULL_TAG = 'tag:yaml.org,2002:null';
const STRING_TAG = 'tag:yaml.org,2002:str';

function scalarValue(node: { readonly value: unknown; readonly type?: string; readonly tag?: string }) {
  const scalar = new Scalar(String(node.value), { plain: node.type === 'PLAIN' && node.tag !== STRING_TAG });
  return scalar.tag === 'null' || node.tag === NULL_TAG ? undefined : scalar;
}
