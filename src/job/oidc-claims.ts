/** Reads the claims of a CircleCI OIDC token. Does not verify the token: Teleport does. */
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as z from 'zod/mini';
import { MachineIdError } from '../errors.ts';

/** The claims that CircleCI documents and this program uses. Times are milliseconds since the Unix epoch. */
export interface OidcClaims {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly authorizedParty: string | undefined;
  readonly subject: string;
  readonly issuedAtMs: number;
  readonly notBeforeMs: number | undefined;
  readonly expiresAtMs: number;
  readonly organizationId: string | undefined;
  readonly projectId: string | undefined;
  readonly contextIds: readonly string[];
  readonly sshRerun: boolean;
  readonly vcsOrigin: string | undefined;
  readonly vcsRef: string | undefined;
  /** Not a claim: whether the token's header names the key that signed it. */
  readonly namesKey: boolean;
  /** Every claim as it is, for the rules of a join token. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Of no organization: only a token that was created with `--root-issuer` has it. */
export const ROOT_ISSUER = 'https://oidc.circleci.com';

const Claims = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  azp: z.optional(z.string()),
  sub: z.string(),
  iat: z.number(),
  nbf: z.optional(z.number()),
  exp: z.number(),
  'oidc.circleci.com/org-id': z.optional(z.string()),
  'oidc.circleci.com/project-id': z.optional(z.string()),
  'oidc.circleci.com/context-ids': z.optional(z.array(z.string())),
  'oidc.circleci.com/ssh-rerun': z.optional(z.boolean()),
  'oidc.circleci.com/vcs-origin': z.optional(z.string()),
  'oidc.circleci.com/vcs-ref': z.optional(z.string()),
});

/**
 * @param source where the token was found, for messages: `CIRCLE_OIDC_TOKEN`
 * @param hint what to do about an invalid token; the default is for a variable that CircleCI sets
 * @throws MachineIdError OIDC_TOKEN_MALFORMED; its message contains no part of the token
 */
export function decodeClaims(jwt: string, source: string, hint = hintFor(source)): OidcClaims {
  const { namesKey, payload } = decode(jwt, source, hint);
  const claims = Claims.safeParse(payload);
  if (!claims.success) {
    const paths = claims.error.issues.map((issue) => issue.path.join('.'));
    throw malformed(source, hint, `these claims are missing or have the wrong type: ${paths.join(', ')}`);
  }
  const { iss, aud, azp, sub, iat, nbf, exp } = claims.data;
  return {
    issuer: iss,
    audiences: typeof aud === 'string' ? [aud] : aud,
    authorizedParty: azp,
    subject: sub,
    issuedAtMs: iat * 1000,
    notBeforeMs: nbf === undefined ? undefined : nbf * 1000,
    expiresAtMs: exp * 1000,
    organizationId: claims.data['oidc.circleci.com/org-id'],
    projectId: claims.data['oidc.circleci.com/project-id'],
    contextIds: claims.data['oidc.circleci.com/context-ids'] ?? [],
    sshRerun: claims.data['oidc.circleci.com/ssh-rerun'] ?? false,
    vcsOrigin: claims.data['oidc.circleci.com/vcs-origin'],
    vcsRef: claims.data['oidc.circleci.com/vcs-ref'],
    namesKey,
    payload,
  };
}

/** Undefined if the token does not say. */
export function claimOfRerun({ payload }: Pick<OidcClaims, 'payload'>): boolean | undefined {
  const claim = payload['oidc.circleci.com/ssh-rerun'];
  return typeof claim === 'boolean' ? claim : undefined;
}

/** The host of the CircleCI server installation that issued the token; undefined for CircleCI Cloud and other issuers. */
export function circleCiServerOf(issuer: string): string | undefined {
  const [, host] = /^https:\/\/([^/?#\s]+)\/org\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.exec(issuer) ?? [];
  return host === 'oidc.circleci.com' ? undefined : host;
}

/** The organization's id; undefined if the issuer is not that of an organization. */
export function organizationOf(issuer: string): string | undefined {
  return /^https:\/\/oidc\.circleci\.com\/org\/([^/]+)$/.exec(issuer)?.[1];
}

/**
 * Whether Teleport accepts a token with these audiences, which must include the organization's id (protocol reference 2.5).
 * Since Teleport 17, a token with several audiences also needs an authorized party, and it must be the organization's id.
 */
export function audienceFit(
  { audiences, authorizedParty }: Pick<OidcClaims, 'audiences' | 'authorizedParty'>,
  organizationId: string,
): 'right' | 'before Teleport 17' | 'wrong' {
  if (!audiences.includes(organizationId)) return 'wrong';
  const party = authorizedParty ?? (audiences.length === 1 ? organizationId : undefined);
  return party === organizationId ? 'right' : 'before Teleport 17';
}

/** Audiences are texts that the organization chooses, so they are truncated. */
export function audienceText({ audiences }: Pick<OidcClaims, 'audiences'>): string {
  if (audiences.length === 0) return 'no audience';
  const text = audiences.join(', ');
  const shown = text.length <= 200 ? text : `${text.slice(0, 200)}...`;
  return `the audience${audiences.length === 1 ? '' : 's'} ${shown}`;
}

/** Whether the token is for this audience and no other. */
export function hasOnlyAudience({ audiences }: Pick<OidcClaims, 'audiences'>, audience: string): boolean {
  return audiences.length === 1 && audiences[0] === audience;
}

function decode(jwt: string, source: string, hint: string): Pick<OidcClaims, 'namesKey' | 'payload'> {
  try {
    const { kid = '' } = decodeProtectedHeader(jwt);
    return { payload: decodeJwt(jwt), namesKey: kid !== '' };
  } catch {
    // Without the cause on purpose: jose's message may quote the input, which is a secret.
    throw malformed(source, hint, 'it is not three base64url parts with JSON in the first two');
  }
}

function malformed(source: string, hint: string, detail: string): MachineIdError {
  return new MachineIdError('OIDC_TOKEN_MALFORMED', `${source} is not a CircleCI OIDC token: ${detail}`, { hint });
}

function hintFor(source: string): string {
  return `Use the variable exactly as CircleCI sets it. Nothing in the job's environment should set ${source}.`;
}
