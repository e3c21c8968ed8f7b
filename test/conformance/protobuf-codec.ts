/**
 * The program that Google's conformance_test_runner drives: reads messages from stdin, decodes and encodes each with our
 * codec, and writes the result to stdout.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { decode, encode } from '../../src/grpc/protobuf.ts';
import { messagesByLength, withLength } from './messages-by-length.ts';
import {
  AllTypesSchema,
  type Outcome,
  OutcomeSchema,
  PROTOBUF_FORMAT,
  type Task,
  TaskSchema,
} from './protobuf-messages.ts';

const NOTHING: Outcome = { parseError: undefined, protobuf: undefined, skipped: undefined };

/** Of TestAllTypesProto3; the suite has unknown fields above. */
const LAST_FIELD = 418;

for await (const bytes of messagesByLength(process.stdin, 'little-endian')) {
  process.stdout.write(withLength(encode(OutcomeSchema, outcomeOf(decode(TaskSchema, bytes))), 'little-endian'));
}

function outcomeOf({ messageType, outputFormat, protobuf }: Task): Outcome {
  if (messageType === 'conformance.FailureSet') return { ...NOTHING, protobuf: new Uint8Array() };
  if (protobuf === undefined || outputFormat !== PROTOBUF_FORMAT)
    return { ...NOTHING, skipped: 'only the binary format' };
  if (messageType !== 'protobuf_test_messages.proto3.TestAllTypesProto3') return { ...NOTHING, skipped: 'only proto3' };
  const missing = fieldWithoutType(protobuf);
  if (missing !== undefined) return { ...NOTHING, skipped: `the codec has no type for field ${missing}` };
  try {
    return { ...NOTHING, protobuf: encode(AllTypesSchema, decode(AllTypesSchema, protobuf)) };
  } catch (error) {
    return { ...NOTHING, parseError: String(error) };
  }
}

/** The first field of the message that we do not declare, because none of our messages has a field of its type. */
function fieldWithoutType(message: Uint8Array): number | undefined {
  const reader = new BinaryReader(message);
  try {
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (number <= LAST_FIELD && !AllTypesSchema.fields().has(number)) return number;
      reader.skip(wireType, number);
    }
  } catch {
    // The codec is to say what is wrong.
  }
  return undefined;
}
