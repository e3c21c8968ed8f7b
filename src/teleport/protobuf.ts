/**
 * Messages of Protocol Buffers, version 3, read and written by tables of their fields. As in Go, a field that is not
 * known, or that comes in another form than ours, is passed over, and the last one counts where a value comes twice.
 * Source: "Encoding" of the Protocol Buffers project.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A message to be written: a field that is left out has its default. */
export type Init<T> = { readonly [K in keyof T]?: InitValue<T[K]> };

type InitValue<V> = V extends Uint8Array | string | number | boolean | undefined
  ? V
  : V extends { readonly case: infer C; readonly value: infer M }
    ? { readonly case: C; readonly value: InitValue<M> }
    : V extends readonly (infer E)[]
      ? readonly InitValue<E>[]
      : Init<V>;

export interface MessageSchema<T> {
  /** With the default in every field. */
  readonly empty: () => T;
  /** By number; made when they are first needed, since messages name each other in any order. */
  readonly fields: () => ReadonlyMap<number, Field<T>>;
}

interface Field<T> {
  readonly wireType: WireType;
  /** Name in the union that the field belongs to, as the protocol has it. */
  readonly kind?: string;
  readonly read: (reader: BinaryReader, message: T) => void;
  readonly write: (writer: BinaryWriter, message: Init<T>) => void;
}

/** The values of a field. */
interface Codec<V, I = V> {
  readonly wireType: WireType;
  /** @param before what the field has so far: a list, or a message that comes in parts */
  read(reader: BinaryReader, before?: V): V;
  write(writer: BinaryWriter, number: number, value: I): void;
  isDefault(value: I): boolean;
}

/** @throws Error for bytes that are no such message */
export function decode<T>(schema: MessageSchema<T>, bytes: Uint8Array): T {
  const reader = new BinaryReader(bytes);
  return readMessage(schema, reader, reader.len, schema.empty());
}

export function encode<T>(schema: MessageSchema<T>, message: Init<T>): Uint8Array {
  return writeMessage(schema, new BinaryWriter(), message).finish();
}

/** The first field of a union in a message. */
export function kindOf<T>(schema: MessageSchema<T>, bytes: Uint8Array): string | undefined {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const kind = schema.fields().get(number)?.kind;
    if (kind !== undefined) return kind;
    reader.skip(wireType, number);
  }
  return undefined;
}

function readMessage<T>(schema: MessageSchema<T>, reader: BinaryReader, end: number, message: T): T {
  const fields = schema.fields();
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field?.wireType === wireType) field.read(reader, message);
    else reader.skip(wireType, number);
  }
  if (reader.pos > end) throw new RangeError('a field reaches past the end of its message');
  return message;
}

function writeMessage<T>(schema: MessageSchema<T>, writer: BinaryWriter, message: Init<T>): BinaryWriter {
  for (const field of schema.fields().values()) field.write(writer, message);
  return writer;
}

export interface FieldMakers<T> {
  readonly field: <K extends keyof T>(
    number: number,
    name: K,
    codec: Codec<T[K], NonNullable<InitValue<T[K]>>>,
  ) => readonly [number, Field<T>];
  /** A field of a union. */
  readonly member: <V, I>(
    number: number,
    kind: string,
    codec: Codec<V, I>,
    get: (message: Init<T>) => I | undefined,
    set: (message: T, value: V) => void,
  ) => readonly [number, Field<T>];
}

export function messageSchema<T>(
  empty: () => T,
  make: (makers: FieldMakers<T>) => readonly (readonly [number, Field<T>])[] = () => [],
): MessageSchema<T> {
  let fields: ReadonlyMap<number, Field<T>> | undefined;
  return { empty, fields: () => (fields ??= new Map(make({ field, member }))) };
}

function field<T, K extends keyof T>(
  number: number,
  name: K,
  codec: Codec<T[K], NonNullable<InitValue<T[K]>>>,
): readonly [number, Field<T>] {
  return [
    number,
    {
      wireType: codec.wireType,
      read: (reader, message) => {
        message[name] = codec.read(reader, message[name]);
      },
      write: (writer, message) => {
        const value = message[name];
        if (value !== undefined && !codec.isDefault(value)) codec.write(writer, number, value);
      },
    },
  ];
}

function member<T, V, I>(
  number: number,
  kind: string,
  codec: Codec<V, I>,
  get: (message: Init<T>) => I | undefined,
  set: (message: T, value: V) => void,
): readonly [number, Field<T>] {
  return [
    number,
    {
      wireType: codec.wireType,
      kind,
      read: (reader, message) => {
        set(message, codec.read(reader));
      },
      write: (writer, message) => {
        const value = get(message);
        if (value !== undefined) codec.write(writer, number, value);
      },
    },
  ];
}

export const text: Codec<string> = {
  wireType: WireType.LengthDelimited,
  read: (reader) => reader.string(),
  write: (writer, number, value) => writer.tag(number, WireType.LengthDelimited).string(value),
  isDefault: (value) => value === '',
};

export const bytes: Codec<Uint8Array> = {
  wireType: WireType.LengthDelimited,
  read: (reader) => reader.bytes(),
  write: (writer, number, value) => writer.tag(number, WireType.LengthDelimited).bytes(value),
  isDefault: (value) => value.length === 0,
};

export const bool: Codec<boolean> = {
  wireType: WireType.Varint,
  read: (reader) => reader.bool(),
  write: (writer, number, value) => writer.tag(number, WireType.Varint).bool(value),
  isDefault: (value) => !value,
};

export const int32: Codec<number> = {
  wireType: WireType.Varint,
  read: (reader) => reader.int32(),
  write: (writer, number, value) => writer.tag(number, WireType.Varint).int32(value),
  isDefault: (value) => value === 0,
};

/** Exact up to 2^53, which no time of ours comes near. */
export const int64: Codec<number> = {
  wireType: WireType.Varint,
  read: (reader) => Number(reader.int64()),
  write: (writer, number, value) => writer.tag(number, WireType.Varint).int64(value),
  isDefault: (value) => value === 0,
};

export function message<M>(schema: MessageSchema<M>): Codec<M, Init<M>> {
  return {
    wireType: WireType.LengthDelimited,
    read: (reader, before = schema.empty()) => {
      const length = reader.uint32();
      const end = reader.pos + length;
      if (end > reader.len) throw new RangeError('a message reaches past the end of what it stands in');
      return readMessage(schema, reader, end, before);
    },
    write: (writer, number, value) => {
      writeMessage(schema, writer.tag(number, WireType.LengthDelimited).fork(), value).join();
    },
    isDefault: () => false,
  };
}

/** Has its presence told: written even as the default, `undefined` when it did not come. */
export function optional<V, I>(codec: Codec<V, I>): Codec<V | undefined, I> {
  return { ...codec, isDefault: () => false };
}

export function list<V, I>(codec: Codec<V, I>): Codec<V[], readonly I[]> {
  return {
    wireType: codec.wireType,
    read: (reader, before = []) => {
      before.push(codec.read(reader));
      return before;
    },
    write: (writer, number, values) => {
      for (const value of values) codec.write(writer, number, value);
    },
    isDefault: () => false,
  };
}

interface Entry {
  key: string;
  value: string;
}

const ENTRIES = list(
  message(
    messageSchema<Entry>(
      () => ({ key: '', value: '' }),
      ({ field }) => [field(1, 'key', text), field(2, 'value', text)],
    ),
  ),
);

/** Of text by text. */
export const map: Codec<Record<string, string>, Readonly<Record<string, string | undefined>>> = {
  wireType: WireType.LengthDelimited,
  read: (reader, before = {}) => {
    for (const { key, value } of ENTRIES.read(reader)) before[key] = value;
    return before;
  },
  write: (writer, number, values) => {
    ENTRIES.write(
      writer,
      number,
      Object.entries(values).map(([key, value = '']) => ({ key, value })),
    );
  },
  isDefault: () => false,
};
