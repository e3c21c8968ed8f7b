/** Teleport's error kinds, with the HTTP replies and gRPC statuses that carry them. */
import { Metadata, status } from '@grpc/grpc-js';

/** `Unknown` is an error that Teleport has given no kind, such as a failed JWT verification. */
const HTTP_STATUS = {
  BadParameter: 400,
  AccessDenied: 403,
  NotFound: 404,
  NotImplemented: 501,
  LimitExceeded: 429,
  ConnectionProblem: 504,
  Unknown: 500,
} as const;

const GRPC_STATUS = {
  BadParameter: status.INVALID_ARGUMENT,
  AccessDenied: status.PERMISSION_DENIED,
  NotFound: status.NOT_FOUND,
  NotImplemented: status.UNIMPLEMENTED,
  LimitExceeded: status.RESOURCE_EXHAUSTED,
  ConnectionProblem: status.UNAVAILABLE,
  Unknown: status.UNKNOWN,
} as const;

export type ErrorKind = keyof typeof HTTP_STATUS;

export class TeleportError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export const accessDenied = (message: string): TeleportError => new TeleportError('AccessDenied', message);
export const badParameter = (message: string): TeleportError => new TeleportError('BadParameter', message);
export const notFound = (message: string): TeleportError => new TeleportError('NotFound', message);

/** Anything thrown while serving becomes an error of Teleport's. */
export function toTeleportError(error: unknown): TeleportError {
  return error instanceof TeleportError ? error : new TeleportError('Unknown', String(error));
}

/** A kindless error has an empty `error` object and its text in `message`. */
export function toHttpReply(error: TeleportError): { readonly status: number; readonly body: object } {
  const body =
    error.kind === 'Unknown'
      ? { error: {}, message: error.message }
      : { error: { message: error.message }, message: error.message };
  return { status: HTTP_STATUS[error.kind], body };
}

export function toGrpcError(error: TeleportError): Error & { code: status; details: string; metadata: Metadata } {
  return Object.assign(new Error(error.message), {
    code: GRPC_STATUS[error.kind],
    details: error.message,
    metadata: new Metadata(),
  });
}

/** `AccessDenied: text`, the way a record names an error. */
export function describeError(error: TeleportError): string {
  return `${error.kind}: ${error.message}`;
}
