/** Makes one call to the Auth Service, with a deadline and with errors explained. */
import { withDeadline } from '../effects/time.ts';
import { isTransientGrpcStatus, type Retries } from '../effects/retry.ts';
import { type ErrorCode, MachineIdError } from '../errors.ts';
import type { CallOptions } from '../grpc/client.ts';
import { GrpcError, GrpcResponseError, type GrpcStatus } from '../grpc/status.ts';
import { authFailure, authName, type AuthPlace } from '../net/failures.ts';
import { oneLine } from '../net/network-error.ts';
import { mentionsScopes, SCOPES_HINT } from './names.ts';

export interface AuthCallOptions {
  readonly place: AuthPlace;
  readonly retries: Pick<Retries, 'attemptMs'>;
  /** Runs the attempt, and repeats it according to the retry policy. */
  readonly attempts: <T>(attempt: () => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal;
}

/** @throws MachineIdError ROLE_DENIED, AUTH_DENIED, AUTH_UNREACHABLE, RPC_FAILED, RESPONSE_INVALID, RESPONSE_TOO_LARGE, TIMEOUT */
export type AuthCaller = <T>(
  /** Of the method, for messages. */
  name: string,
  work: (options: CallOptions) => Promise<T>,
  refusals?: Refusals,
) => Promise<T>;

/** What an error status means for one method, where that is more specific than for all methods. */
export type Refusals = ReadonlyMap<GrpcStatus, Refusal>;

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: (said: string) => string;
  readonly hint: string;
}

export function authCaller(options: AuthCallOptions): AuthCaller {
  return (name, work, refusals = new Map()) => callAuth({ name, refusals }, options, work);
}

interface Method {
  readonly name: string;
  readonly refusals: Refusals;
}

async function callAuth<T>(
  method: Method,
  { attempts, place, retries, signal: outer }: AuthCallOptions,
  work: (options: CallOptions) => Promise<T>,
): Promise<T> {
  const waitingFor = `${method.name} at ${authName(place)}`;
  return attempts(() =>
    withDeadline({ waitingFor, timeoutMs: retries.attemptMs(), signal: outer }, async (signal) => {
      try {
        return await work({ signal });
      } catch (error) {
        signal.throwIfAborted();
        throw callFailure(method, place, error);
      }
    }),
  );
}

function callFailure({ name, refusals }: Method, place: AuthPlace, cause: unknown): MachineIdError {
  if (cause instanceof GrpcResponseError) return responseFailure(name, cause);
  // An Auth Service that shuts down reports Canceled.
  if (!(cause instanceof GrpcError) || cause.status === 'Canceled') return authFailure(place, cause);
  const said = oneLine(cause.message);
  if (mentionsScopes(said) && (cause.status === 'PermissionDenied' || cause.status === 'InvalidArgument')) {
    return new MachineIdError('CLUSTER_UNSUPPORTED', `the Auth Service refused ${name} because of scopes: ${said}`, {
      hint: SCOPES_HINT,
      cause,
    });
  }
  const refusal = refusals.get(cause.status);
  if (refusal !== undefined) {
    const { code, message, hint } = refusal;
    return new MachineIdError(code, message(said), { hint, cause });
  }
  if (said.includes('role impersonation') || (name === 'GenerateUserCerts' && cause.status === 'NotFound')) {
    return new MachineIdError('ROLE_DENIED', `the bot may not have the requested roles: ${said}`, {
      hint: 'Compare roles in tbot.yaml with spec.roles of the bot ("tctl get bot/NAME"); omit roles to get all that the bot may have.',
      cause,
    });
  }
  if (cause.status === 'PermissionDenied' || cause.status === 'Unauthenticated') {
    return new MachineIdError('AUTH_DENIED', `the Auth Service refused ${name}: ${said}`, {
      hint: 'Check that the bot and its roles still exist and are not locked ("tctl get bots", "tctl get locks").',
      cause,
    });
  }
  return new MachineIdError('RPC_FAILED', `${name} failed at the Auth Service: ${said}`, {
    hint: 'Run the job again; if the error persists, check the log of the Auth Service at this time.',
    cause,
    transient: isTransientGrpcStatus(cause.status) ? {} : undefined,
  });
}

function responseFailure(name: string, cause: GrpcResponseError): MachineIdError {
  const reason = oneLine(cause.message);
  switch (cause.problem) {
    case 'unreadable':
      return new MachineIdError('RESPONSE_INVALID', `the response to ${name} cannot be read: ${reason}`, {
        hint: 'Run the job again; if the error persists, report it with the version of the cluster.',
        cause,
      });
    case 'too-large':
      return new MachineIdError('RESPONSE_TOO_LARGE', `the response to ${name} is too large: ${reason}`, {
        hint: 'Check that the address is that of a Teleport cluster.',
        cause,
      });
    default:
      return cause.problem satisfies never;
  }
}
