/** A configuration file that was parsed, and where in it a setting stands. */
import type { Fault } from '../errors.ts';
import type { Findings } from './findings.ts';
import { decode } from './schema/decode.ts';
import type { Field } from './schema/field.ts';
import type { Item } from './schema/items.ts';
import type { Origin, PlacedItem, Setting } from './settings.ts';
import { setting } from './settings.ts';
import type { YamlDocument } from './yaml/document.ts';
import type { Mapping, Path } from './yaml/tree.ts';
import { formatPath } from './yaml/tree.ts';

/** How messages name a place in the file `name`. */
export function placeIn(name: string, path: string, line: number | undefined): Origin {
  return { path, line, label: line === undefined ? name : `${name} line ${line}` };
}

export class SourceFile {
  readonly name: string;
  readonly findings: Findings;
  /** Places that nothing reads and that hold what was meant to be written. */
  readonly strays: Fault[] = [];
  readonly #document: YamlDocument;
  #dropped: ReadonlyMap<string, ReadonlySet<number>> = new Map();

  constructor(document: YamlDocument, name: string, findings: Findings) {
    this.#document = document;
    this.name = name;
    this.findings = findings;
  }

  get root(): Mapping {
    return this.#document.root;
  }

  origin(...path: Path): Origin {
    return placeIn(this.name, formatPath(path), this.#document.lineOf(path));
  }

  setting<T>(value: T | undefined, ...path: Path): Setting<T> | undefined {
    return setting(value, this.origin(...path));
  }

  /** Notes a place that nothing reads and that holds what was meant to be written. */
  stray(message: string, ...path: Path): void {
    const { line, path: place } = this.origin(...path);
    this.strays.push({ path: place, ...(line === undefined ? {} : { line }), message });
  }

  /** @param items that were decoded from the list at `key` */
  place(items: readonly Item[], key: string): readonly PlacedItem[] {
    const dropped = this.#dropped.get(key) ?? new Set();
    const indices = Array.from({ length: items.length + dropped.size }, (_, index) => index);
    const kept = indices.filter((index) => !dropped.has(index));
    return items.map((item, at) => {
      const { path, line } = this.origin(key, kept[at] ?? at);
      return { ...item, path, line };
    });
  }

  /**
   * The settings as far as they can be read, and the top-level keys that can't be.
   * @param unknown whether keys that `schema` does not know are warned of or are faults
   */
  decode<T>(
    schema: Field<T>,
    unknown: 'warn' | 'refuse' = 'warn',
  ): { readonly value: T | undefined; readonly faulty: ReadonlySet<string> } {
    const { value, faults, unknownKeys, dropped } = decode(schema, this.#document);
    this.#dropped = dropped;
    for (const { path, line, message } of faults) this.findings.refuse(placeIn(this.name, path, line), message);
    for (const { path, line, message, holdsOutputs } of unknownKeys) {
      const place = placeIn(this.name, path, line);
      if (unknown === 'refuse') this.findings.refuse(place, message);
      else if (holdsOutputs) this.strays.push({ path, ...(line === undefined ? {} : { line }), message });
      else this.findings.warnAt(place, message);
    }
    return { value, faulty: new Set(faults.map(({ path }) => path.replace(/[.[].*$/s, ''))) };
  }
}
