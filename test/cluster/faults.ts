/** The misbehaviours that a test can ask of the cluster, before or while it runs. */
import type { RequestKind } from './records.ts';

/**
 * - `truncated`: the reply stops short, with its length announced in full
 * - `oversized`: the reply goes on for many megabytes
 * - `silent`: the request is read and never answered
 * - `reset`: the connection is destroyed instead of an answer
 * - `reset-midway`: the connection is destroyed between two answers of one call
 * - `not-json`: HTTP 200 with an HTML page; on gRPC, bytes that are no message
 * - `unavailable`: HTTP 503, or gRPC UNAVAILABLE
 * - `limited`: HTTP 429 with `Retry-After: 1`, or gRPC RESOURCE_EXHAUSTED
 * - `limited-midway`: the join service ends a join with RESOURCE_EXHAUSTED after its first answer
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

/** What is wrong with the certificates issued; `ssh-` and `tls-` spoil one of the two. */
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

export type AuthorityFault = 'hostile-name' | 'tls-unreadable' | 'ssh-unreadable';

/** The name of a cluster whose authorities are listed with the fault `hostile-name`. */
export const HOSTILE_CLUSTER_NAME = '../evil\nHost *\u001b[2J';

export interface Faults {
  /** The Proxy accepts TCP and stays silent, or finishes TLS and stays silent. */
  proxyConnections?: 'silent-after-tcp' | 'silent-after-tls' | undefined;
  /** The Auth listener accepts TCP and stays silent. */
  authConnections?: 'silent-after-tcp' | undefined;
  authCertificate?: 'of-other-authority' | 'expired' | 'not-yet-valid' | undefined;
  /** By record kind, so `{ 'rpc:/proto.AuthService/GetRole': 'silent' }`. */
  replies: Partial<Record<RequestKind, ReplyFault>>;
  joinCertificates?: CertificateFault | undefined;
  outputCertificates?: CertificateFault | undefined;
  /** What the Proxy's `Date` header is ahead of the time. */
  dateAheadMs?: number | undefined;
  /** What is wrong with the authorities that a cluster, this one or a leaf, is listed with. */
  listedAuthorities?: { readonly of: string; readonly fault: AuthorityFault } | undefined;
  /** Cuts every certificate issued to this lifetime. */
  maxTtlMs?: number | undefined;
}

export const OVERSIZED_REPLY_BYTES = 32 * 1024 * 1024;
