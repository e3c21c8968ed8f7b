/** A method of a gRPC service. */
import type { MessageSchema } from './protobuf.ts';

export interface Method<I, O> {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly input: MessageSchema<I>;
  readonly output: MessageSchema<O>;
}

export function method<I, O>(path: string, input: MessageSchema<I>, output: MessageSchema<O>): Method<I, O> {
  return { path, input, output };
}
