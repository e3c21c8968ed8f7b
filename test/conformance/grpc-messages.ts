/**
 * What the program under test needs of the messages of connectrpc/conformance, written and read by our own codec. What it
 * only passes on (what the server shall respond, what it responded, details of errors) stays bytes.
 */
import { type Method, type MessageSchema, messageSchema, method } from '../../src/grpc/protobuf.ts';
import { bool, bytes, int32, list, message, optional, text } from '../../src/grpc/protobuf-values.ts';

export interface Header {
  name: string;
  value: string[];
}

export const HeaderSchema: MessageSchema<Header> = messageSchema<Header>(
  () => ({ name: '', value: [] }),
  ({ field }) => [field(1, 'name', text), field(2, 'value', list(text))],
);

/** google.protobuf.Any */
interface Any {
  value: Uint8Array;
}

const AnySchema = messageSchema<Any>(
  () => ({ value: new Uint8Array() }),
  ({ field }) => [field(2, 'value', bytes)],
);

interface Credentials {
  cert: Uint8Array;
  key: Uint8Array;
}

const CredentialsSchema = messageSchema<Credentials>(
  () => ({ cert: new Uint8Array(), key: new Uint8Array() }),
  ({ field }) => [field(1, 'cert', bytes), field(2, 'key', bytes)],
);

/** The message counts as `after_close_send_ms: 0` if it is there and empty. */
export interface Cancel {
  beforeCloseSend: Uint8Array | undefined;
  afterCloseSendMs: number | undefined;
  afterResponses: number | undefined;
}

const CancelSchema = messageSchema<Cancel>(
  () => ({ beforeCloseSend: undefined, afterCloseSendMs: undefined, afterResponses: undefined }),
  ({ field }) => [
    field(1, 'beforeCloseSend', optional(bytes)),
    field(2, 'afterCloseSendMs', optional(int32)),
    field(3, 'afterResponses', optional(int32)),
  ],
);

/** ClientCompatRequest: a call to make. */
export interface Instructions {
  testName: string;
  host: string;
  port: number;
  serverCertificate: Uint8Array;
  credentials: Credentials | undefined;
  method: string;
  streamType: number;
  headers: Header[];
  requests: Any[];
  timeoutMs: number | undefined;
  delayMs: number;
  cancel: Cancel | undefined;
}

export const InstructionsSchema: MessageSchema<Instructions> = messageSchema<Instructions>(
  () => ({
    testName: '',
    host: '',
    port: 0,
    serverCertificate: new Uint8Array(),
    credentials: undefined,
    method: '',
    streamType: 0,
    headers: [],
    requests: [],
    timeoutMs: undefined,
    delayMs: 0,
    cancel: undefined,
  }),
  ({ field }) => [
    field(1, 'testName', text),
    field(6, 'host', text),
    field(7, 'port', int32),
    field(8, 'serverCertificate', bytes),
    field(9, 'credentials', optional(message(CredentialsSchema))),
    field(12, 'method', text),
    field(13, 'streamType', int32),
    field(15, 'headers', list(message(HeaderSchema))),
    field(16, 'requests', list(message(AnySchema))),
    field(17, 'timeoutMs', optional(int32)),
    field(18, 'delayMs', int32),
    field(19, 'cancel', optional(message(CancelSchema))),
  ],
);

export function isUnary({ streamType }: Instructions): boolean {
  return streamType === 1;
}

/** Whether the server answers each request before it gets the next. */
export function isFullDuplex({ streamType }: Instructions): boolean {
  return streamType === 5;
}

export interface CallError {
  code: number;
  message: string | undefined;
  details: Uint8Array[];
}

const CallErrorSchema = messageSchema<CallError>(
  () => ({ code: 0, message: undefined, details: [] }),
  ({ field }) => [field(1, 'code', int32), field(2, 'message', optional(text)), field(3, 'details', list(bytes))],
);

/** google.rpc.Status */
export const ErrorDetailsSchema: MessageSchema<Pick<CallError, 'details'>> = messageSchema<Pick<CallError, 'details'>>(
  () => ({ details: [] }),
  ({ field }) => [field(3, 'details', list(bytes))],
);

/** ClientResponseResult: what came of the call. */
export interface CallResult {
  headers: Header[];
  payloads: Uint8Array[];
  error: CallError | undefined;
  trailers: Header[];
  unsentRequests: number;
}

const CallResultSchema = messageSchema<CallResult>(
  () => ({ headers: [], payloads: [], error: undefined, trailers: [], unsentRequests: 0 }),
  ({ field }) => [
    field(1, 'headers', list(message(HeaderSchema))),
    field(2, 'payloads', list(bytes)),
    field(3, 'error', optional(message(CallErrorSchema))),
    field(4, 'trailers', list(message(HeaderSchema))),
    field(5, 'unsentRequests', int32),
  ],
);

/** ClientErrorResult: why no call could be made. */
interface NoCall {
  message: string;
}

const NoCallSchema = messageSchema<NoCall>(
  () => ({ message: '' }),
  ({ field }) => [field(1, 'message', text)],
);

/** ClientCompatResponse */
export interface Report {
  testName: string;
  result: CallResult | undefined;
  error: NoCall | undefined;
}

export const ReportSchema: MessageSchema<Report> = messageSchema<Report>(
  () => ({ testName: '', result: undefined, error: undefined }),
  ({ field }) => [
    field(1, 'testName', text),
    field(2, 'result', optional(message(CallResultSchema))),
    field(3, 'error', optional(message(NoCallSchema))),
  ],
);

/** The request of every method; in that of BidiStream, field 2 is a boolean and field 3 the data. */
export interface Request {
  definition: Uint8Array | undefined;
  fullDuplex: boolean;
  data: Uint8Array;
}

/** The response of every method. */
export interface Response {
  payload: Uint8Array | undefined;
}

function requestSchema(dataField: 2 | 3): MessageSchema<Request> {
  return messageSchema<Request>(
    () => ({ definition: undefined, fullDuplex: false, data: new Uint8Array() }),
    ({ field }) => [
      field(1, 'definition', optional(bytes)),
      ...(dataField === 3 ? [field(2, 'fullDuplex', bool)] : []),
      field(dataField, 'data', bytes),
    ],
  );
}

const ResponseSchema = messageSchema<Response>(
  () => ({ payload: undefined }),
  ({ field }) => [field(1, 'payload', optional(bytes))],
);

/** @param name such as `Unary` */
export function methodNamed(name: string): Method<Request, Response> {
  const path = `/connectrpc.conformance.v1.ConformanceService/${name}`;
  return method(path, requestSchema(name === 'BidiStream' ? 3 : 2), ResponseSchema);
}
