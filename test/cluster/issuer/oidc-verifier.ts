/** Verifies CircleCI OIDC tokens like Teleport, with keys fetched through the issuer's discovery document. */
import { get } from 'node:https';
import { compactVerify, type CompactVerifyGetKey, createLocalJWKSet, decodeJwt } from 'jose';
import { z } from 'zod';
import type { GenericOidcVerifier } from '../generic-oidc/verifier.ts';
import { oidcError, type OidcProblem } from './oidc-errors.ts';
import type { Profile } from '../data/profiles.ts';

export const PROJECT_CLAIM = 'oidc.circleci.com/project-id';
export const CONTEXTS_CLAIM = 'oidc.circleci.com/context-ids';
export const CIRCLECI_ISSUER = 'https://oidc.circleci.com';

const Claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string().transform((audience) => [audience]), z.array(z.string())]),
  azp: z.string().optional(),
  exp: z.number(),
  iat: z.number().optional(),
  nbf: z.number().optional(),
  [PROJECT_CLAIM]: z.string().default(''),
  [CONTEXTS_CLAIM]: z.array(z.string()).default([]),
});

/** RFC 7517 section 5. */
const KeySetDocument = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

export type CircleCiClaims = z.infer<typeof Claims>;
/** By join method. */
export interface OidcVerifier {
  readonly circleci: (token: string, organizationId: string) => Promise<CircleCiClaims>;
  readonly genericOidc: GenericOidcVerifier;
}

interface VerifierOptions {
  /** The local server that stands in for oidc.circleci.com, as `https://host:port`. */
  readonly issuerServer: string;
  /** PEM of the authority that signed that server's certificate. */
  readonly ca: string;
  readonly errors: Profile['oidcErrors'];
}

export function circleCiVerifier(options: VerifierOptions): OidcVerifier['circleci'] {
  const keySets = new Map<string, CompactVerifyGetKey>();
  return async (token, organizationId) => {
    const keys = keySets.get(organizationId) ?? (await discover(options, organizationId));
    keySets.set(organizationId, keys);
    const claims = readClaims(token);
    if (claims === undefined) {
      throw oidcError(options.errors, { kind: 'malformed' });
    }
    const problem =
      recipientProblem(claims, organizationId) ?? (await tokenProblem(token, keys, claims, options.errors));
    if (problem !== undefined) {
      throw oidcError(options.errors, problem);
    }
    return claims;
  };
}

/** The older library checks the times before the signature, the newer one after it. */
async function tokenProblem(
  token: string,
  keys: CompactVerifyGetKey,
  claims: CircleCiClaims,
  era: Profile['oidcErrors'],
): Promise<OidcProblem | undefined> {
  const times = timeProblem(claims);
  const signature = await signatureProblem(token, keys);
  return era === 'older' ? (times ?? signature) : (signature ?? times);
}

async function signatureProblem(token: string, keys: CompactVerifyGetKey): Promise<OidcProblem | undefined> {
  try {
    await compactVerify(token, keys, { algorithms: ['RS256'] });
    return undefined;
  } catch {
    return { kind: 'signature' }; // Teleport's texts do not distinguish the causes
  }
}

/** Undefined for text that is not a JWT, or lacks a claim that every OIDC token has. */
export function readClaims(token: string): CircleCiClaims | undefined {
  try {
    return Claims.parse(decodeJwt(token));
  } catch {
    return undefined; // the caller reports the error
  }
}

function recipientProblem(claims: CircleCiClaims, organizationId: string): OidcProblem | undefined {
  const issuer = `${CIRCLECI_ISSUER}/org/${organizationId}`;
  if (claims.iss !== issuer) {
    return { kind: 'issuer', expected: issuer, got: claims.iss };
  }
  if (!claims.aud.includes(organizationId)) {
    return { kind: 'audience', expected: organizationId, got: claims.aud };
  }
  return claims.aud.length > 1 && claims.azp === undefined ? { kind: 'authorized-party' } : undefined;
}

function timeProblem(claims: CircleCiClaims): OidcProblem | undefined {
  const nowSeconds = Date.now() / 1000;
  if (claims.exp <= nowSeconds) {
    return { kind: 'expired', at: new Date(claims.exp * 1000) };
  }
  const from = Math.max(claims.iat ?? 0, claims.nbf ?? 0);
  return from > nowSeconds + 1 ? { kind: 'not-yet-valid', from: new Date(from * 1000) } : undefined;
}

async function discover(options: VerifierOptions, organizationId: string): Promise<CompactVerifyGetKey> {
  const url = `${options.issuerServer}/org/${organizationId}/.well-known/openid-configuration`;
  const Discovery = z.object({ issuer: z.literal(`${CIRCLECI_ISSUER}/org/${organizationId}`), jwks_uri: z.url() });
  try {
    const document = Discovery.parse(JSON.parse(await fetchText(url, options.ca)));
    return keysAt(document.jwks_uri, options.ca);
  } catch (error) {
    throw oidcError(options.errors, { kind: 'discovery', detail: String(error) });
  }
}

/** Fetched for the first token. jose's own remote set loads Node's `fetch`, which takes a tenth of a second of each process. */
function keysAt(url: string, ca: string): CompactVerifyGetKey {
  const load = async (): Promise<CompactVerifyGetKey> =>
    createLocalJWKSet(KeySetDocument.parse(JSON.parse(await fetchText(url, ca))));
  let keys: Promise<CompactVerifyGetKey> | undefined;
  return async (header, token) => {
    keys ??= load();
    keys.catch(() => (keys = undefined)); // the next token tries again
    return (await keys)(header, token);
  };
}

/** `fetch` has no option for an authority to trust. */
function fetchText(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, agent: false, timeout: 15_000 }, (response) => {
      const chunks: Buffer[] = [];
      response
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('error', reject)
        .on('end', () => {
          if (response.statusCode === 200) {
            resolve(Buffer.concat(chunks).toString('utf8'));
          } else {
            reject(new Error(`${url} answered ${String(response.statusCode)}`));
          }
        });
    });
    request.on('error', reject).on('timeout', () => request.destroy(new Error(`${url} timed out`)));
  });
}
