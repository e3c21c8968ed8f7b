/** google.protobuf.Timestamp as the proto loader gives it. */
import { z } from 'zod';

export const WireTimestamp = z.object({ seconds: z.number(), nanos: z.number() });

export function toDate(timestamp: z.infer<typeof WireTimestamp>): Date {
  return new Date(timestamp.seconds * 1000 + timestamp.nanos / 1e6);
}
