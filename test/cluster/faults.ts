/** The misbehaviors that a test can request from the cluster, before or while it runs. */
import type { RequestKind } from './records.ts';

/**
 * - `truncated`: the response ends early, although its full length was announced
 * - `oversized`: the response has many megabytes
 * - `silent`: the request is read and never answered
 * - `reset`: the connection is reset instead of a response
 * - `reset-midway`: the connection is reset between two responses of one call
 * - `not-json`: HTTP 200 with an HTML page; in gRPC, bytes that are not a message
 * - `unavailable`: HTTP 503, or gRPC UNAVAILABLE
 * - `limited`: HTTP 429 with `Retry-After: 1`, or gRPC RESOURCE_EXHAUSTED
 * - `limited-midway`: the join service ends a join with RESOURCE_EXHAUSTED after its first response
 */
export type ReplyFault =
  | 'truncated'
  | 'oversized'
  | 'silent'
  | 'reset'
  | 'reset-midway'
  | 'not-json'
  | 'unavailable'
  | 'limited'
  | 'limited-midway';

/** What is wrong with the issued certificates; `ssh-` and `tls-` affect only one of the two. */
export type CertificateFault =
  | 'for-other-key'
  | 'ssh-for-other-key'
  | 'tls-for-other-key'
  | 'of-other-cluster'
  | 'for-other-user'
  | 'for-other-roles'
  | 'routed-elsewhere'
  | 'expired'
  | 'not-yet-valid'
  | 'begins-in-a-minute'
  | 'until-2049'
  | 'until-9999'
  | 'ssh-forever';

/** `500-keys`, `10000-keys`: each key is listed so often; the latter exceed the largest message of gRPC. */
export type AuthorityFault = 'hostile-name' | 'tls-unreadable' | 'ssh-unreadable' | '500-keys' | '10000-keys';

/** The name of a cluster whose authorities are listed with the fault `hostile-name`. */
export const HOSTILE_CLUSTER_NAME = '../evil\nHost *\u001b[2J';

export interface Faults {
  /** The Proxy is silent after accepting TCP, or after the TLS handshake. */
  proxyConnections?: 'silent-after-tcp' | 'silent-after-tls' | undefined;
  /** The Auth listener is silent after accepting TCP. */
  authConnections?: 'silent-after-tcp' | undefined;
  /** `of-user-authority`: of the key of the user authority that does not sign. */
  authCertificate?: 'of-other-authority' | 'of-user-authority' | 'expired' | 'not-yet-valid' | undefined;
  /** By record kind, such as `{ 'rpc:/proto.AuthService/GetRole': 'silent' }`. */
  replies: Partial<Record<RequestKind, ReplyFault>>;
  joinCertificates?: CertificateFault | undefined;
  outputCertificates?: CertificateFault | undefined;
  /** How far the Proxy's `Date` header is ahead. */
  dateAheadMs?: number | undefined;
  /** What is wrong with the authorities of a cluster, this one or a leaf. */
  listedAuthorities?: { readonly of: string; readonly fault: AuthorityFault } | undefined;
  /** Shortens every issued certificate to this lifetime. */
  maxTtlMs?: number | undefined;
}

export const OVERSIZED_REPLY_BYTES = 32 * 1024 * 1024;
