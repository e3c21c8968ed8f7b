/** The error texts of Teleport's versions for invalid OIDC tokens. */
import type { Profile } from '../data/profiles.ts';
import { TeleportError } from '../data/teleport-errors.ts';

export type OidcProblem =
  | { readonly kind: 'discovery'; readonly detail: string }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'issuer'; readonly expected: string; readonly got: string }
  | { readonly kind: 'audience'; readonly expected: string; readonly got: readonly string[] }
  | { readonly kind: 'authorized-party' }
  | { readonly kind: 'signature' }
  | { readonly kind: 'expired'; readonly at: Date }
  | { readonly kind: 'not-yet-valid'; readonly from: Date };

/** Teleport passes on these errors without a kind: HTTP 500, gRPC Unknown. */
export function oidcError(era: Profile['oidcErrors'], problem: OidcProblem): TeleportError {
  return new TeleportError('Unknown', era === 'older' ? olderText(problem) : newerText(problem));
}

function olderText(problem: OidcProblem): string {
  switch (problem.kind) {
    case 'discovery':
      return problem.detail;
    case 'malformed':
      return 'oidc: malformed jwt';
    case 'issuer':
      return `oidc: id token issued by a different provider, expected "${problem.expected}" got "${problem.got}"`;
    case 'audience':
      return `oidc: expected audience "${problem.expected}" got ${JSON.stringify(problem.got)}`;
    case 'authorized-party':
      return 'oidc: authorized party is not set';
    case 'signature':
      return 'failed to verify signature: failed to verify id token signature';
    case 'expired':
      return `oidc: token is expired (Token Expiry: ${problem.at.toISOString()})`;
    case 'not-yet-valid':
      return `oidc: current time ${new Date().toISOString()} before the nbf (not before) time: ${problem.from.toISOString()}`;
  }
}

function newerText(problem: OidcProblem): string {
  return problem.kind === 'discovery'
    ? `discovering oidc document\n\tOpenID Provider Configuration Discovery has failed\n${problem.detail}`
    : `verifying token\n\t${newerDetail(problem)}`;
}

function newerDetail(problem: Exclude<OidcProblem, { kind: 'discovery' }>): string {
  switch (problem.kind) {
    case 'malformed':
      return 'parsing of request failed';
    case 'issuer':
      return `issuer does not match: Expected: ${problem.expected}, got: ${problem.got}`;
    case 'audience':
      return `audience is not valid: Audience must contain client_id "${problem.expected}"`;
    case 'authorized-party':
      return 'authorized party is not set';
    case 'signature':
      return 'invalid signature';
    case 'expired':
      return 'token has expired';
    case 'not-yet-valid':
      return 'issuedAt of token is in the future';
  }
}
