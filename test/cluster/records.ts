/** What the cluster was asked, in order, for tests to assert on. */
import { describeError, toTeleportError } from './data/teleport-errors.ts';

export type Listener = 'front' | 'proxy' | 'auth' | 'issuer';

/** `connection` is a ClientHello, whatever came after it; gRPC methods are `rpc:` and their path. */
export type RequestKind =
  | 'connection'
  | 'ping'
  | 'find'
  | 'legacy-join'
  | 'connection-upgrade'
  | 'reverse-tunnel'
  | 'join-service'
  | 'proxy-ssh'
  | 'proxy-cluster'
  | 'application'
  | 'database'
  | 'kubernetes'
  | 'unknown-route'
  | 'discovery'
  | 'jwks'
  | `rpc:/${string}`;

export interface RequestRecord {
  readonly listener: Listener;
  readonly kind: RequestKind;
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
  /** As gRPC calls and HTTP requests name their program. */
  readonly userAgent?: string | undefined;
  /** What was asked: requested roles, token name and the like; never a credential. */
  readonly fields: Record<string, unknown>;
  /** `pending`, `ok`, or the error answered as `Kind: text`. */
  outcome: string;
}

/** Does the work of a request and notes how it ended. */
export async function observe<T>(record: RequestRecord, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    record.outcome = 'ok';
    return result;
  } catch (error) {
    record.outcome = describeError(toTeleportError(error));
    throw error;
  }
}

export class Records {
  readonly #all: RequestRecord[] = [];

  /** Notes a request as pending; the caller sets the outcome when it is known. */
  add(request: Omit<RequestRecord, 'outcome'>): RequestRecord {
    const record = { ...request, outcome: 'pending' };
    this.#all.push(record);
    return record;
  }

  get all(): readonly RequestRecord[] {
    return this.#all;
  }

  of(kind: RequestKind): readonly RequestRecord[] {
    return this.#all.filter((record) => record.kind === kind);
  }

  /** The kinds of everything asked of the Proxy and of Auth, in order, without the connections themselves. */
  get kinds(): readonly RequestKind[] {
    return this.#all
      .filter((record) => record.listener !== 'issuer' && record.kind !== 'connection')
      .map((record) => record.kind);
  }

  clear(): void {
    this.#all.length = 0;
  }
}
