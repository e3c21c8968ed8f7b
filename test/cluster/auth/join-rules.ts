/** Decides whether a join token lets a CircleCI job in. */
import type { JoinToken } from '../data/data.ts';
import { CONTEXTS_CLAIM, PROJECT_CLAIM, type CircleCiClaims } from '../issuer/oidc-verifier.ts';
import { accessDenied } from '../data/teleport-errors.ts';

/** Any one rule is enough; within it every field that is set must hold. */
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
