/** Finds the ids of the current job, even if its OIDC token cannot be used for a join. */
import { MachineIdError } from '../errors.ts';
import type { OidcClaims } from './oidc-claims.ts';
import { findOidcToken } from './oidc-token.ts';
import type { OidcTokenSources } from './token-request.ts';

export interface FoundId {
  readonly value: string;
  /** The variable, or the command that printed the token. */
  readonly source: string;
}

export interface JobIds {
  readonly organization: FoundId | undefined;
  readonly project: FoundId | undefined;
  /** In the order of the token. */
  readonly contexts: readonly FoundId[];
  /** As `github.com/example/app`. */
  readonly vcsOrigin: FoundId | undefined;
  readonly issuer: FoundId | undefined;
  /** Without the owner. */
  readonly repository: string | undefined;
  /** Warnings for the user. */
  readonly warnings: readonly string[];
}

interface FoundClaims {
  readonly source: string;
  readonly claims: Partial<OidcClaims>;
  readonly warnings: readonly string[];
}

/** Outside a job everything is undefined, which is not an error. */
export async function findJobIds(sources: OidcTokenSources): Promise<JobIds> {
  const { CIRCLE_ORGANIZATION_ID, CIRCLE_PROJECT_ID, CIRCLE_PROJECT_REPONAME } = sources.environment;
  const { claims, source, warnings } = await findClaims(sources);
  const found = (value: string | undefined, from = source) => (value ? { value, source: from } : undefined);
  return {
    organization: found(claims.organizationId) ?? found(CIRCLE_ORGANIZATION_ID, 'CIRCLE_ORGANIZATION_ID'),
    project: found(claims.projectId) ?? found(CIRCLE_PROJECT_ID, 'CIRCLE_PROJECT_ID'),
    contexts: (claims.contextIds ?? []).map((value) => ({ value, source })),
    vcsOrigin: found(claims.vcsOrigin),
    issuer: found(claims.issuer),
    repository: claims.vcsOrigin?.split('/').findLast((part) => part !== '') ?? CIRCLE_PROJECT_REPONAME,
    warnings,
  };
}

async function findClaims(sources: OidcTokenSources): Promise<FoundClaims> {
  try {
    const { claims, source } = await findOidcToken(sources);
    return { claims, source, warnings: [] };
  } catch (error) {
    if (!(error instanceof MachineIdError)) throw error;
    if (error.code === 'OIDC_TOKEN_MISSING') return { claims: {}, source: '', warnings: [] };
    if (error.code === 'OIDC_TOKEN_MALFORMED') return { claims: {}, source: '', warnings: [error.message] };
    throw error;
  }
}
