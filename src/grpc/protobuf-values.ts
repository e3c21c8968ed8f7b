/** Codecs for the types of message fields ("Encoding" of the Protocol Buffers project). */
import { WireType } from '@bufbuild/protobuf/wire';
import { type Codec, type Init, type MessageSchema, messageSchema, readMessage, writeMessage } from './protobuf.ts';

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

/** Exact up to 2^53, far beyond any time that occurs here. */
const int64: Codec<number> = {
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
      if (end > reader.len) throw new RangeError('a nested message extends past the end of its parent');
      return readMessage(schema, reader, end, before);
    },
    write: (writer, number, value) => {
      writeMessage(schema, writer.tag(number, WireType.LengthDelimited).fork(), value).join();
    },
    isDefault: () => false,
  };
}

/** A field with explicit presence: written even if it has the default value, and read as `undefined` if missing. */
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

/** A map from strings to strings. */
export const map: Codec<Record<string, string>, Readonly<Record<string, string | undefined>>> = {
  wireType: WireType.LengthDelimited,
  read: (reader, before = {}) => {
    for (const { key, value } of ENTRIES.read(reader)) {
      // An assignment would drop the key `__proto__`.
      Object.defineProperty(before, key, { value, configurable: true, enumerable: true, writable: true });
    }
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

// Protocol Buffers' well-known types for time (`google/protobuf/timestamp.proto`, `duration.proto`).

/** Time since 1970-01-01T00:00:00Z. */
export interface Timestamp {
  seconds: number;
  /** Never negative: counts forward from `seconds`. */
  nanos: number;
}

export interface Duration {
  seconds: number;
  nanos: number;
}

const MS_PER_SECOND = 1000;
const NANOS_PER_MS = 1_000_000;

export const TimestampSchema: MessageSchema<Timestamp> = /* @__PURE__ */ secondsAndNanos();
export const DurationSchema: MessageSchema<Duration> = /* @__PURE__ */ secondsAndNanos();

/** @param ms not before 1970 */
export function timestampFromMs(ms: number): Timestamp {
  return { seconds: Math.floor(ms / MS_PER_SECOND), nanos: Math.floor((ms % MS_PER_SECOND) * NANOS_PER_MS) };
}

/** @param ms not negative */
export function durationFromMs(ms: number): Duration {
  return timestampFromMs(ms);
}

function secondsAndNanos(): MessageSchema<Timestamp & Duration> {
  return messageSchema(
    () => ({ seconds: 0, nanos: 0 }),
    ({ field }) => [field(1, 'seconds', int64), field(2, 'nanos', int32)],
  );
}
