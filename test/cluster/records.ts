/** The requests that the cluster received, in order, for assertions in tests. */
import { describeError, toTeleportError } from './data/teleport-errors.ts';

export type Listener = 'front' | 'proxy' | 'auth' | 'issuer';

/** `connection` is a ClientHello, whatever follows it; gRPC methods are `rpc:` and their path. */
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
  /** The program name that gRPC calls and HTTP requests contain. */
  readonly userAgent?: string | undefined;
  /** The request's facts, such as requested roles and token name; never a credential. */
  readonly fields: Record<string, unknown>;
  /** `pending`, `ok`, or the returned error as `Kind: text`. */
  outcome: string;
}

/** Runs the work of a request and records its outcome. */
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

  /** Records a request as pending; the caller sets the outcome later. */
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

  /** The kinds of all requests to the Proxy and to Auth, in order, without the connections. */
  get kinds(): readonly RequestKind[] {
    return this.#all
      .filter((record) => record.listener !== 'issuer' && record.kind !== 'connection')
      .map((record) => record.kind);
  }

  clear(): void {
    this.#all.length = 0;
  }
}
