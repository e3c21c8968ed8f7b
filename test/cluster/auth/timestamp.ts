/** google.protobuf.Timestamp and Duration as the proto loader represents them. */
import { z } from 'zod';

export const WireTimestamp = z.object({ seconds: z.number(), nanos: z.number() });

export function toDate(timestamp: z.infer<typeof WireTimestamp>): Date {
  return new Date(timestamp.seconds * 1000 + timestamp.nanos / 1e6);
}

export const WireDuration = z.object({ seconds: z.number(), nanos: z.number() });

export function toMilliseconds(duration: z.infer<typeof WireDuration>): number {
  return duration.seconds * 1000 + duration.nanos / 1e6;
}

export function fromDate(date: Date): z.infer<typeof WireTimestamp> {
  return { seconds: Math.floor(date.getTime() / 1000), nanos: 0 };
}
