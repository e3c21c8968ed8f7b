/** Makes one call at the Auth Service, within its time and with its failures explained. */
import { Code } from '@connectrpc/connect';
import { withDeadline } from '../effects/deadline.ts';
import { type ErrorCode, MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from '../teleport/address.ts';
import { authFailure } from '../teleport/failures.ts';
import { asGrpcError } from '../teleport/grpc.ts';
import { oneLine } from '../teleport/trace-error.ts';

export interface AuthCallOptions {
  readonly address: Address;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** @throws MachineIdError ROLE_DENIED, AUTH_DENIED, AUTH_UNREACHABLE, RPC_FAILED, REPLY_INVALID, REPLY_TOO_LARGE, TIMEOUT */
export type AuthCaller = <T>(
  /** Of the method, for messages. */
  name: string,
  work: (options: { signal: AbortSignal }) => Promise<T>,
  refusals?: Refusals,
) => Promise<T>;

/** What a refusal of the server means for one method, where that is more than it means for all. */
export type Refusals = ReadonlyMap<Code, Refusal>;

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
  { address, timeoutMs, signal: outer }: AuthCallOptions,
  work: (options: { signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const waitingFor = `${method.name} at the Auth Service behind ${formatAddress(address)}`;
  return withDeadline({ waitingFor, timeoutMs, signal: outer }, async (signal) => {
    try {
      return await work({ signal });
    } catch (error) {
      signal.throwIfAborted();
      throw callFailure(method, address, error);
    }
  });
}

function callFailure({ name, refusals }: Method, address: Address, cause: unknown): MachineIdError {
  const grpc = asGrpcError(cause);
  if (grpc === undefined || isBrokenConnection(grpc.code, grpc.cause)) return authFailure(address, cause);
  const said = oneLine(grpc.rawMessage);
  const refusal = refusals.get(grpc.code);
  if (refusal !== undefined) {
    const { code, message, hint } = refusal;
    return new MachineIdError(code, message(said), { hint, cause });
  }
  if (said.includes('role impersonation') || (name === 'GenerateUserCerts' && grpc.code === Code.NotFound)) {
    return new MachineIdError('ROLE_DENIED', `the bot may not have the roles that were asked for: ${said}`, {
      hint: 'Compare roles in tbot.yaml with spec.roles of the bot ("tctl get bot/NAME"); leave roles out to get all that the bot may have.',
      cause,
    });
  }
  if (grpc.code === Code.PermissionDenied || grpc.code === Code.Unauthenticated) {
    return new MachineIdError('AUTH_DENIED', `the Auth Service refused ${name}: ${said}`, {
      hint: 'Check that the bot and its roles still exist and are not locked ("tctl get bots", "tctl get locks").',
      cause,
    });
  }
  // What the gRPC client says of a message that is none of this method's; no status of the server reads so.
  if (grpc.code === Code.Internal && grpc.rawMessage.startsWith('parse binary:')) {
    return new MachineIdError('REPLY_INVALID', `the answer to ${name} cannot be read: ${said}`, {
      hint: 'Run the job again; if it stays, report the version of the cluster: its answer differs from the known ones.',
      cause,
    });
  }
  if (grpc.code === Code.ResourceExhausted && said.includes('larger than configured')) {
    return new MachineIdError('REPLY_TOO_LARGE', `the answer to ${name} is larger than accepted: ${said}`, {
      hint: 'Check that the address is the one of a Teleport cluster.',
      cause,
    });
  }
  return new MachineIdError('RPC_FAILED', `${name} failed at the Auth Service: ${said}`, {
    hint: 'Run the job again; if it stays, look into the log of the Auth Service at this time.',
    cause,
  });
}

/** A connection that broke has Node's error as its cause, or cancels its calls; an answer of the server does neither. */
function isBrokenConnection(code: Code, cause: unknown): boolean {
  return code === Code.Canceled || (cause instanceof Error && CONNECTION_CODES.has(code));
}

const CONNECTION_CODES: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Internal, Code.Unknown, Code.Aborted]);
