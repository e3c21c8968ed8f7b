/** The connections to the Proxy that SSH sessions share: up to a hundred sessions each, as in tbot. */
import { after } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import type { BulkCall, BulkConnection } from '../grpc/bulk.ts';

export const MAX_SESSIONS = 100;
/** A connection may end between two sessions, and the next one while the Proxy shuts down. */
const MAX_TRIES = 3;
/** How long a connection without a session stays open for the next one. */
const IDLE_MS = 10_000;

export interface SshConnections {
  /**
   * A call on a connection with room for it, which was opened with the newest certificate.
   * @throws what `current` and `dial` throw; MachineIdError TUNNEL_FAILED if no connection stays open
   */
  readonly open: (path: string) => Promise<BulkCall>;
  readonly close: () => void;
}

interface Options<T> {
  /** The newest certificate. Connections with another one are closed when their sessions have ended. */
  readonly current: () => T;
  readonly dial: (certificate: T) => Promise<BulkConnection>;
}

interface Shared<T> {
  readonly certificate: T;
  readonly connection: Promise<BulkConnection>;
  sessions: number;
  hasEnded: boolean;
  cancelIdle: (() => void) | undefined;
}

export function openSshConnections<T>({ current, dial }: Options<T>): SshConnections {
  const all = new Set<Shared<T>>();
  const drop = (shared: Shared<T>) => {
    shared.cancelIdle?.();
    all.delete(shared);
    shared.connection.then(
      (connection) => {
        connection.close();
      },
      () => undefined, // nothing was opened
    );
  };
  const release = (shared: Shared<T>) => {
    shared.sessions -= 1;
    if (shared.sessions > 0) return;
    if (shared.hasEnded) drop(shared);
    else {
      shared.cancelIdle = after(IDLE_MS, () => {
        drop(shared);
      });
    }
  };
  const take = (): Shared<T> => {
    const certificate = current();
    const free = [...all].find(
      (one) => one.certificate === certificate && !one.hasEnded && one.sessions < MAX_SESSIONS,
    );
    const shared = free ?? {
      certificate,
      connection: dial(certificate),
      sessions: 0,
      hasEnded: false,
      cancelIdle: undefined,
    };
    shared.cancelIdle?.();
    shared.sessions += 1;
    all.add(shared);
    return shared;
  };
  return {
    open: async (path) => {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const shared = take();
        try {
          const connection = await shared.connection;
          if (connection.acceptsCalls) {
            return closingOnce(connection.open(path), () => {
              release(shared);
            });
          }
          shared.hasEnded = true;
          release(shared);
        } catch (error) {
          shared.hasEnded = true;
          release(shared);
          throw error;
        }
      }
      throw new MachineIdError(
        'TUNNEL_FAILED',
        `the Proxy ended ${MAX_TRIES} connections before they carried a session`,
        {
          hint: 'Look for a restart of the Proxy, or a load balancer that ends connections.',
          transient: {},
        },
      );
    },
    close: () => {
      for (const shared of all) drop(shared);
    },
  };
}

function closingOnce(call: BulkCall, onClose: () => void): BulkCall {
  let isOpen = true;
  return {
    ...call,
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      call.close();
      onClose();
    },
  };
}
