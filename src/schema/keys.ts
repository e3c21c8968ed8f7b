/** Settings and their keys in a mapping: one entry declares how a setting is read, documented and written. */
import * as z from 'zod/mini';
import { type Context, type Field, readBy } from './fields.ts';
import type { Mapping } from './yaml/tree.ts';

declare const __DOCUMENTS__: boolean | undefined;

/** A text for the documents and the orb alone: the bundle leaves it out. */
export function documentation(text: string): string | undefined {
  return typeof __DOCUMENTS__ === 'undefined' || __DOCUMENTS__ ? text : undefined;
}

interface KeyInfo<T> {
  /** As the file spells it. */
  readonly key: string;
  /** One sentence for the documents. */
  readonly help: string | undefined;
  /** Whether a value for it is refused when the output is about to be written. */
  readonly unsupported: boolean;
  /** The value as it is written to a file; `undefined` leaves the key out. */
  write(value: T): unknown;
}

export type Key<T> = Field<T> & KeyInfo<T>;

interface KeyOptions<T> {
  readonly unsupported?: true;
  /** By default the value as it is. */
  readonly write?: (value: T) => unknown;
}

export function key<T>(name: string, field: Field<T>, help: string | undefined, options: KeyOptions<T> = {}): Key<T> {
  const { unsupported = false, write = (value: T) => value } = options;
  const own: Field<T> = z.transform((input, context) => readBy(field, input, context));
  return Object.assign(own, { key: name, help, unsupported, write });
}

/** For `write` of a key that newer versions have: leaves out `false`, which is the default. */
export function whenTrue(value: boolean): true | undefined {
  return value ? true : undefined;
}

/** The keys of one mapping, which read and write `V`. */
export interface Keys<V extends object> {
  readonly list: readonly KeyInfo<unknown>[];
  /** Reads a mapping and ignores its other keys. */
  readonly read: (mapping: Mapping, context: Context) => V;
  /** By key, in the order of the declaration. */
  write(values: Readonly<V>): Readonly<Record<string, unknown>>;
  /** Keys of values that are given but not supported. */
  unsupported(values: Readonly<V>): readonly string[];
}

export type ValuesOf<K> = K extends Keys<infer V> ? V : never;

type Shape = Readonly<Record<string, Field<unknown> & Partial<KeyInfo<unknown>>>>;

/** @param shape by the name of the setting; a plain field is read by the key of the same name */
export function keys<S extends Shape>(shape: S): Keys<z.output<z.ZodMiniObject<S>>> {
  const object = z.object(shape);
  const entries = Object.entries(shape).map(([name, field]) => [name, infoOf(name, field)] as const);
  const given = (values: object) => {
    const byName = new Map(Object.entries(values));
    return entries.map(([name, own]) => ({ own, value: own.write(byName.get(name)) }));
  };
  return {
    list: entries.map(([, own]) => own),
    read: (mapping, context) => {
      const byName = Object.fromEntries(entries.map(([name, own]) => [name, mapping.get(own.key)]));
      return readBy(object, byName, context, (name) => shape[String(name)]?.key ?? name);
    },
    write: (values) =>
      Object.fromEntries(
        given(values)
          .filter(({ value }) => value !== undefined)
          .map(({ own, value }) => [own.key, value]),
      ),
    unsupported: (values) =>
      given(values)
        .filter(({ own, value }) => own.unsupported && value !== undefined)
        .map(({ own }) => own.key),
  };
}

/** The values of a mapping without any of these keys, none of which is required. */
export function defaultsOf<V extends object>({ read }: Keys<V>): V {
  return z.transform((_: undefined, context: Context) => read(new Map(), context)).parse(undefined);
}

function infoOf(name: string, field: Partial<KeyInfo<unknown>>): KeyInfo<unknown> {
  const { key: own = name, help = '', unsupported = false } = field;
  return { key: own, help, unsupported, write: (value) => (field.write === undefined ? value : field.write(value)) };
}

/** Both in one mapping. */
export function joined<A extends object, B extends object>(one: Keys<A>, other: Keys<B>): Keys<A & B> {
  return {
    list: [...one.list, ...other.list],
    read: (mapping, context) => ({ ...one.read(mapping, context), ...other.read(mapping, context) }),
    write: (values) => ({ ...one.write(values), ...other.write(values) }),
    unsupported: (values) => [...one.unsupported(values), ...other.unsupported(values)],
  };
}
