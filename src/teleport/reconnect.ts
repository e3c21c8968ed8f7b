/** A gRPC connection that is opened again when it breaks: what a load balancer cuts must not end a job. */
import type { Retries, Tries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import type { GrpcConnection } from './grpc.ts';

/** Which connection the next try needs; one that is not broken still carries the other calls to their end. */
export type NextConnection = 'same' | 'other' | 'other, as this one is broken';

export interface Reconnecting extends GrpcConnection {
  /**
   * Makes an attempt that calls over this connection, and makes it again as the policy says: it must be one that may be
   * made twice. Attempts that break together share the next connection and the wait for it.
   * @throws MachineIdError the failure of the last attempt, or of opening a connection for it
   */
  readonly attempts: <T>(attempt: () => Promise<T>) => Promise<T>;
}

export interface ReconnectOptions {
  /** @throws MachineIdError */
  readonly open: () => Promise<GrpcConnection>;
  /** Is asked about failures that may pass. */
  readonly next: (failure: MachineIdError) => NextConnection;
  readonly retries: Retries;
  readonly signal: AbortSignal;
}

/** What an attempt was made with. */
interface Used {
  readonly used: Promise<GrpcConnection>;
  readonly connection: GrpcConnection;
  readonly tries: Tries;
}

/** @throws what the last try at opening the connection threw */
export async function openReconnecting({ open, next, retries, signal }: ReconnectOptions): Promise<Reconnecting> {
  const reopen = () => retries.run(open, signal);
  const retired: GrpcConnection[] = [];
  let current = reopen();
  await current;

  /** Resolves when the next try is due; the first that fails opens the next connection for all. */
  const afterFailure = (error: unknown, { used, connection, tries }: Used): Promise<void> | void => {
    const which = error instanceof MachineIdError && error.passing !== undefined ? next(error) : 'same';
    if (which === 'same') return tries.again(error);
    if (current !== used) {
      tries.count(error);
      return;
    }
    if (which === 'other') retired.push(connection);
    else connection.close();
    current = tries.again(error).then(reopen);
    // The next attempt awaits it.
    current.catch(() => undefined);
  };
  return {
    call: async (method, request, options) => (await current).call(method, request, options),
    stream: async function* (method, requests, options) {
      yield* (await current).stream(method, requests, options);
    },
    attempts: async (attempt) => {
      const tries = retries.begin(signal);
      for (;;) {
        const used = current;
        const connection = await used;
        try {
          return await attempt();
        } catch (error) {
          await afterFailure(error, { used, connection, tries });
        }
      }
    },
    close: () => {
      for (const connection of retired) connection.close();
      current.then(
        (connection) => {
          connection.close();
        },
        () => undefined,
      );
    },
  };
}
