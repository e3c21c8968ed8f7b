/** Messages made for tests. */
import { decode, encode, type Init, type MessageSchema } from '../../src/grpc/protobuf.ts';

/** With the default in every field that is left out, as it comes from a server. */
export function received<T>(schema: MessageSchema<T>, fields: Init<NoInfer<T>>): T {
  return decode(schema, encode(schema, fields));
}
