/** Tells of the calls of a gRPC client: their methods, the kinds and sizes of their messages, how they ended. */
import { type DescMessage, isFieldSet, type Message, toBinary } from '@bufbuild/protobuf';
import type { Interceptor } from '@connectrpc/connect';
import { type TracedCall, tracedCall, overhear } from './traced-call.ts';
import type { Direction } from './wire-event.ts';
import type { WireConnection } from './wire-trace.ts';

export interface CallTrace {
  readonly interceptor: Interceptor;
  /** Calls that nobody has read to their end are told of now. */
  end(): void;
}

export function traceCalls(wire: WireConnection): CallTrace {
  const calls: TracedCall[] = [];
  const interceptor: Interceptor = (next) => async (request) => {
    const { input, name, output } = request.method;
    const call = tracedCall(`/${request.service.typeName}/${name}`, wire);
    calls.push(call);
    const teller = (direction: Direction, schema: DescMessage) => (message: Message) => {
      call.tell(direction, sizeOf(schema, message), kindOf(schema, message));
    };
    try {
      if (request.stream) {
        const message = overhear(request.message, teller('sent', input));
        const response = await next({ ...request, message });
        if (!response.stream) return response;
        return { ...response, message: overhear(response.message, teller('received', output), call.end) };
      }
      call.count('sent', sizeOf(input, request.message));
      const response = await next(request);
      if (!response.stream) call.count('received', sizeOf(output, response.message));
      call.end('OK');
      return response;
    } catch (error) {
      call.end(error);
      throw error;
    }
  };
  const end = () => {
    for (const call of calls) call.end();
  };
  return { interceptor, end };
}

/** As it goes over the wire: fields that our messages do not know are kept when one is read. */
function sizeOf(schema: DescMessage, message: Message): number {
  return toBinary(schema, message).length;
}

/** The field of the message's first union that is set. */
function kindOf(schema: DescMessage, message: Message): string | undefined {
  return schema.oneofs[0]?.fields.find((field) => isFieldSet(message, field))?.name;
}
