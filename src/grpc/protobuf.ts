/**
 * Reads and writes proto3 messages by tables of their fields. As in Go, fields that are unknown or have an unexpected wire
 * type are skipped, and if a value occurs twice, the last one counts.
 * Source: "Encoding" of the Protocol Buffers project.
 */
import { BinaryReader, BinaryWriter, type WireType } from '@bufbuild/protobuf/wire';

/** A message to write; omitted fields have their defaults. */
export type Init<T> = { readonly [K in keyof T]?: InitValue<T[K]> };

type InitValue<V> = V extends Uint8Array | string | number | boolean | undefined
  ? V
  : V extends { readonly case: infer C; readonly value: infer M }
    ? { readonly case: C; readonly value: InitValue<M> }
    : V extends readonly (infer E)[]
      ? readonly InitValue<E>[]
      : Init<V>;

export interface MessageSchema<T> {
  /** Returns a message with the default in every field. */
  readonly empty: () => T;
  /** Fields by number; created when first needed, since messages refer to each other in any order. */
  readonly fields: () => ReadonlyMap<number, Field<T>>;
}

interface Field<T> {
  readonly wireType: WireType;
  /** For a field of a union: its name in the protocol. */
  readonly kind?: string;
  readonly read: (reader: BinaryReader, message: T) => void;
  readonly write: (writer: BinaryWriter, message: Init<T>) => void;
}

/** Reads and writes one type of value; `protobuf-values.ts` has them all. */
export interface Codec<V, I = V> {
  readonly wireType: WireType;
  /** @param before the value read so far: a list, or a message that arrives in parts */
  read(reader: BinaryReader, before?: V): V;
  write(writer: BinaryWriter, number: number, value: I): void;
  isDefault(value: I): boolean;
}

/** @throws Error if the bytes are not such a message */
export function decode<T>(schema: MessageSchema<T>, bytes: Uint8Array): T {
  const reader = new BinaryReader(bytes);
  return readMessage(schema, reader, reader.len, schema.empty());
}

export function encode<T>(schema: MessageSchema<T>, message: Init<T>): Uint8Array {
  return writeMessage(schema, new BinaryWriter(), message).finish();
}

/** The name of the first union field in a message; undefined if there is none or the bytes are malformed. */
export function kindOf<T>(schema: MessageSchema<T>, bytes: Uint8Array): string | undefined {
  const reader = new BinaryReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      const kind = schema.fields().get(number)?.kind;
      if (kind !== undefined) return kind;
      reader.skip(wireType, number);
    }
  } catch {
    // `decode` reports malformed bytes.
  }
  return undefined;
}

/** Reads fields up to `end` into the message. */
export function readMessage<T>(schema: MessageSchema<T>, reader: BinaryReader, end: number, message: T): T {
  const fields = schema.fields();
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field?.wireType === wireType) field.read(reader, message);
    else reader.skip(wireType, number);
  }
  if (reader.pos > end) throw new RangeError('a field extends past the end of its message');
  return message;
}

export function writeMessage<T>(schema: MessageSchema<T>, writer: BinaryWriter, message: Init<T>): BinaryWriter {
  for (const field of schema.fields().values()) field.write(writer, message);
  return writer;
}

interface FieldMakers<T> {
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

/** A method of a gRPC service. */
export interface Method<I, O> {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly input: MessageSchema<I>;
  readonly output: MessageSchema<O>;
}

export function method<I, O>(path: string, input: MessageSchema<I>, output: MessageSchema<O>): Method<I, O> {
  return { path, input, output };
}
