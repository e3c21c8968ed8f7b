/** Teleport's error kinds, with their HTTP responses and gRPC statuses. */
import { Metadata, status } from '@grpc/grpc-js';

/** `Unknown` is an error without a kind, such as a failed JWT verification. */
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
/** For what administrators do with tctl, whose errors no client of the cluster gets. */
export const refusedAtCreation = (message: string): TeleportError => badParameter(message);
export const notFound = (message: string): TeleportError => new TeleportError('NotFound', message);

/** Converts anything thrown while serving to a Teleport error. */
export function toTeleportError(error: unknown): TeleportError {
  return error instanceof TeleportError ? error : new TeleportError('Unknown', String(error));
}

/** An error without a kind has an empty `error` object and its text in `message`. */
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

/** `AccessDenied: text`, as records contain it. */
export function describeError(error: TeleportError): string {
  return `${error.kind}: ${error.message}`;
}
