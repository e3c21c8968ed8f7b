/** A gRPC connection that is opened again when it breaks: what a load balancer cuts must not end a job. */
import type { Clock } from '../effects/clock.ts';
import type { GrpcConnection } from './grpc.ts';

export interface ReconnectOptions {
  /** @throws what a call fails with that has no connection */
  readonly open: () => Promise<GrpcConnection>;
  /** Whether a failure is one of the connection, so that another may carry the same call. */
  readonly isBroken: (error: unknown) => boolean;
  /** One pause before each further connection, over the whole life of this one. */
  readonly delaysMs: readonly number[];
  readonly onRetry: (error: unknown, delayMs: number) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * A call whose connection breaks is made again on the next one, so its method must be one that may be called twice;
 * calls that break together share the next connection. So is a stream from which nothing has come, when its requests
 * are a list, which can be sent again.
 * @throws what opening the last of the connections threw
 */
export async function openReconnecting(options: ReconnectOptions): Promise<GrpcConnection> {
  const { clock, isBroken, onRetry, open, signal } = options;
  const pausesMs = [...options.delaysMs];
  let isClosed = false;

  const openPatiently = async (): Promise<GrpcConnection> => {
    try {
      return await open();
    } catch (error) {
      if (!isBroken(error)) throw error;
      return openAfter(error);
    }
  };
  const openAfter = async (error: unknown): Promise<GrpcConnection> => {
    const pauseMs = pausesMs.shift();
    if (pauseMs === undefined || isClosed) throw error;
    onRetry(error, pauseMs);
    await clock.sleep(pauseMs, signal);
    return openPatiently();
  };

  let current = openPatiently();
  await current;

  /** Throws the error when another connection cannot help; the first that comes opens the next one for all. */
  const afterBreak = (error: unknown, used: Promise<GrpcConnection>, connection: GrpcConnection) => {
    if (isClosed || !isBroken(error)) throw error;
    if (current !== used) return;
    connection.close();
    current = openAfter(error);
  };
  return {
    call: async (method, request, callOptions) => {
      for (;;) {
        const used = current;
        const connection = await used;
        try {
          return await connection.call(method, request, callOptions);
        } catch (error) {
          callOptions.signal.throwIfAborted();
          afterBreak(error, used, connection);
        }
      }
    },
    stream: async function* (method, requests, callOptions) {
      for (;;) {
        const used = current;
        const connection = await used;
        let hasBegun = !Array.isArray(requests);
        try {
          for await (const answer of connection.stream(method, requests, callOptions)) {
            hasBegun = true;
            yield answer;
          }
          return;
        } catch (error) {
          callOptions.signal.throwIfAborted();
          if (hasBegun) throw error;
          afterBreak(error, used, connection);
        }
      }
    },
    close: () => {
      isClosed = true;
      current.then(
        (connection) => {
          connection.close();
        },
        () => undefined,
      );
    },
  };
}
