/** How a gRPC call can fail, besides with its connection. */

/** The numbers of the statuses are their places ("Status codes" of the gRPC project); the names are those of gRPC for Go. */
const STATUSES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;

export type GrpcStatus = (typeof STATUSES)[number];

/** @param number as the server sends it; one that nobody knows counts as `Unknown` */
export function grpcStatus(number: number): GrpcStatus {
  return STATUSES[number] ?? 'Unknown';
}

/** The server ended the call with another status than OK; the message is what it said. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus, said: string) {
    super(said);
    this.status = status;
  }
}

/** What came is no answer to the call. */
export class GrpcResponseError extends Error {
  override readonly name = 'GrpcReplyError';
  readonly problem: 'unreadable' | 'too-large';

  constructor(problem: GrpcResponseError['problem'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
