/** Says what a failed connection means: unreachable, untrusted, or something else. */

/** What went wrong below HTTP and gRPC. */
export type NetworkFault =
  | { readonly kind: 'name'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string }
  | { readonly kind: 'untrusted'; readonly detail: string }
  | { readonly kind: 'refused-by-peer'; readonly detail: string };

const NAME = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME']);

/** OpenSSL's verification results (X509_V_ERR_… without the prefix), as Node gives them in `code`. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
]);

/** Looks through an error and its causes for the first code that says what happened. */
export function networkFault(error: unknown): NetworkFault {
  for (const link of causes(error)) {
    const detail = link.message;
    const code = errorCode(link);
    if (NAME.has(code)) return { kind: 'name', detail };
    if (UNTRUSTED.has(code)) return { kind: 'untrusted', detail };
    if (/ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE|ACCESS_DENIED|HANDSHAKE_FAILURE)/.test(code)) {
      return { kind: 'refused-by-peer', detail };
    }
  }
  return { kind: 'unreachable', detail: lastMessage(error) };
}

/** The error and its causes, outermost first; at most eight. */
export function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let link = error;
  while (link instanceof Error && chain.length < 8) {
    chain.push(link);
    link = link instanceof AggregateError && link.cause === undefined ? link.errors[0] : link.cause;
  }
  return chain;
}

export function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function lastMessage(error: unknown): string {
  const innermost = causes(error).at(-1);
  if (innermost === undefined) return String(error);
  return innermost.message === '' ? errorCode(innermost) : innermost.message;
}
