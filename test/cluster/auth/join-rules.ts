/** Decides whether a join token allows a CircleCI job. */
import type { JoinToken } from '../data/data.ts';
import { CONTEXTS_CLAIM, PROJECT_CLAIM, type CircleCiClaims } from '../issuer/oidc-verifier.ts';
import { accessDenied } from '../data/teleport-errors.ts';

/** One matching rule is enough; in it, every field that is set must match. */
export function requireAllowed(token: JoinToken, claims: CircleCiClaims): void {
  const allowed = token.allow.some(
    (rule) =>
      (rule.projectId === undefined || rule.projectId === claims[PROJECT_CLAIM]) &&
      (rule.contextId === undefined || claims[CONTEXTS_CLAIM].includes(rule.contextId)),
  );
  if (!allowed) {
    throw accessDenied('id token claims did not match any allow rules');
  }
}
