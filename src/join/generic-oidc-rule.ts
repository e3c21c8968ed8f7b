/** The part of a join token that admits one job by generic_oidc, as YAML (generic-oidc.md, "Traps with CircleCI's claim names"). */
import { printableJson } from '../errors.ts';
import type { OidcClaims } from '../job/oidc-claims.ts';

/** Claims that a rule compares; the others differ for each job, or name the user. */
const COMPARED = ['project-id', 'pipeline-definition-id', 'vcs-origin', 'vcs-ref', 'ssh-rerun'].map(circleCiClaim);
const CONTEXTS = circleCiClaim('context-ids');

function circleCiClaim(name: string): string {
  return `oidc.circleci.com/${name}`;
}

/**
 * `spec.generic_oidc`, one line each. Only fields and functions that cannot fail on an absent claim: a bare `claims["…"]` may
 * stop the Auth Service.
 */
export function ruleLines({ audiences, contextIds, issuer, payload }: OidcClaims): readonly string[] {
  const fields = COMPARED.flatMap((name) => {
    const value = payload[name];
    return typeof value === 'string' || typeof value === 'boolean' ? [`    ${name}: ${printableJson(value)}`] : [];
  });
  return [
    'generic_oidc:',
    `  issuer: ${printableJson(issuer)}`,
    `  audience: ${printableJson(audiences[0] ?? '')}`,
    ...(fields.length === 0
      ? [`  must_match_fields: {sub: ${printableJson(payload.sub)}}`]
      : ['  must_match_fields:', ...fields]),
    ...(contextIds.length === 0 ? [] : ['  allow_any:', `  - expression: ${printableJson(inContexts(contextIds))}`]),
  ];
}

function inContexts(ids: readonly string[]): string {
  return `contains_any(set(claims["${CONTEXTS}"]), set(${ids.map((id) => JSON.stringify(id)).join(', ')}))`;
}

/** The claims that only a pipeline of a custom webhook lacks. */
export function missingClaims({ payload }: OidcClaims): readonly string[] {
  return ['vcs-origin', 'vcs-ref'].map(circleCiClaim).filter((name) => payload[name] === undefined);
}
