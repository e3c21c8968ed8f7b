/** Points in time and spans of it, as Protocol Buffers has them (`google/protobuf/timestamp.proto`, `duration.proto`). */
import { type MessageSchema, messageSchema } from './protobuf.ts';
import { int32, int64 } from './protobuf-values.ts';

/** Since 1970-01-01T00:00:00Z. */
export interface Timestamp {
  seconds: number;
  /** Never negative: they count forward from the seconds. */
  nanos: number;
}

export interface Duration {
  seconds: number;
  nanos: number;
}

const MS_A_SECOND = 1000;
const NANOS_A_MS = 1_000_000;

export const TimestampSchema: MessageSchema<Timestamp> = /* @__PURE__ */ secondsAndNanos();
export const DurationSchema: MessageSchema<Duration> = /* @__PURE__ */ secondsAndNanos();

/** @param ms not before 1970 */
export function timestampFromMs(ms: number): Timestamp {
  return { seconds: Math.floor(ms / MS_A_SECOND), nanos: Math.floor((ms % MS_A_SECOND) * NANOS_A_MS) };
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
