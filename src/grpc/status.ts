/** gRPC status codes, and the errors of a call that do not come from the connection. */

/** A status's number is its index ("Status codes" of the gRPC project); the names are those of gRPC for Go. */
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

/** @param number as the server sends it; an undefined one counts as `Unknown` */
export function grpcStatus(number: number): GrpcStatus {
  return STATUSES[number] ?? 'Unknown';
}

/** The server ended the call with a status other than OK; `message` is the server's text. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** The response is malformed or too large. */
export class GrpcResponseError extends Error {
  override readonly name = 'GrpcResponseError';
  readonly problem: 'unreadable' | 'too-large';

  constructor(problem: GrpcResponseError['problem'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
