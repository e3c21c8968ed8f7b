/** Verifies that SVIDs match the request (SPIFFE's X509-SVID and JWT-SVID specifications). */
import type { KeyObject } from 'node:crypto';
import { decodeJwt, type JWTPayload } from 'jose';
import * as z from 'zod/mini';
import { tlsCertificateProblem } from '../crypto/check-certificate.ts';
import { clockNotice, type ValidityExpectation, validityProblem } from '../crypto/validity.ts';
import { readCertificate, type TlsCertificate } from '../crypto/x509.ts';
import { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { credentialMismatch } from './issue.ts';

/** As the server sent it, not yet checked. */
export interface X509Svid {
  /** As `spiffe://<cluster>/<path>`. */
  readonly spiffeId: string;
  /** DER. */
  readonly certificate: Uint8Array;
  /** DER each, from the certificate's issuer on, without the root. */
  readonly chain: readonly Uint8Array[];
}

export interface CheckedX509Svid {
  readonly spiffeId: string;
  /** The certificate, then its chain: one PEM block each, ending with a line break. */
  readonly certificatesPem: readonly string[];
  readonly expiresAtMs: number;
  /** A sentence for the summary when the clock is behind. */
  readonly clockNotice: string | undefined;
}

export interface X509SvidExpectation extends ValidityExpectation {
  readonly publicKey: KeyObject;
  /** The cluster's name. */
  readonly trustDomain: string;
  /** PEM of the authorities of that domain, one block each. */
  readonly authoritiesPem: readonly string[];
}

/** @throws MachineIdError CERTIFICATE_MISMATCH, RESPONSE_INVALID */
export function checkX509Svid(svid: X509Svid, expected: X509SvidExpectation): CheckedX509Svid {
  const leaf = readCertificate(svid.certificate);
  const chain = svid.chain.map((der) => readCertificate(der));
  const { authoritiesPem, trustDomain, ...rest } = expected;
  const name = `the SPIFFE authority of "${trustDomain}"`;
  const authority = { name, keys: authoritiesPem.map((pem) => readCertificate(pem)) };
  const problem = tlsCertificateProblem('it', leaf, { ...rest, authority }) ?? chainProblem(leaf, chain, name);
  if (problem !== undefined) throw x509Mismatch(problem);
  const [uri, ...others] = leaf.uris;
  if (uri === undefined || others.length > 0 || uri !== svid.spiffeId || !isInTrustDomain(uri, trustDomain)) {
    throw x509Mismatch(`it names ${JSON.stringify(leaf.uris)}, expected one SPIFFE ID of "${trustDomain}"`);
  }
  return {
    spiffeId: uri,
    certificatesPem: [leaf, ...chain].map(({ pem }) => pem),
    expiresAtMs: leaf.notAfterMs,
    clockNotice: clockNotice(leaf.notBeforeMs, expected.nowMs),
  };
}

/** An issuer of the cluster's owner has the same key as the cluster's authority, whose signature is checked in any case. */
function chainProblem(
  leaf: TlsCertificate,
  [issuer]: readonly TlsCertificate[],
  authority: string,
): string | undefined {
  return issuer === undefined || leaf.isSignedBy(issuer) ? undefined : `it is not signed by ${authority}`;
}

function x509Mismatch(detail: string): MachineIdError {
  return credentialMismatch('the X.509 SVID', detail);
}

// JWT SVIDs (JWT-SVID specification, section 3).

/** As the server sent it, not yet checked. */
export interface JwtSvid {
  readonly spiffeId: string;
  readonly jwt: string;
}

export interface CheckedJwtSvid {
  readonly spiffeId: string;
  readonly jwt: Secret;
  readonly expiresAtMs: number;
  /** A sentence for the summary when the clock is behind. */
  readonly clockNotice: string | undefined;
}

interface JwtSvidExpectation extends ValidityExpectation {
  readonly audiences: readonly string[];
  /** The cluster's name. */
  readonly trustDomain: string;
}

const Claims = z.object({
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.optional(z.number()),
});

/**
 * Does not check the signature: the token came over a connection to the authenticated Auth Service, and its recipients
 * verify it.
 * @throws MachineIdError CERTIFICATE_MISMATCH, RESPONSE_INVALID; their messages hold no part of the token
 */
export function checkJwtSvid({ jwt, spiffeId }: JwtSvid, expected: JwtSvidExpectation): CheckedJwtSvid {
  const { sub, aud, exp, nbf = 0 } = readJwtClaims(jwt);
  if (sub !== spiffeId || !isInTrustDomain(sub, expected.trustDomain)) {
    throw jwtMismatch(`it names ${JSON.stringify(sub)}, expected a SPIFFE ID of "${expected.trustDomain}"`);
  }
  const got = [aud].flat().sort();
  const requested = [...new Set(expected.audiences)].sort();
  if (got.length !== requested.length || got.some((audience, at) => audience !== requested[at])) {
    throw jwtMismatch(`it is for the audiences ${got.join(', ')}, requested ${requested.join(', ')}`);
  }
  const expiresAtMs = exp * 1000;
  if (!Number.isFinite(expiresAtMs)) throw unreadable('its expiry is not a time');
  const beginsAtMs = nbf * 1000;
  const problem = validityProblem('it', { beginsAtMs, endsAtMs: expiresAtMs }, expected);
  if (problem !== undefined) throw jwtMismatch(problem);
  return { spiffeId: sub, jwt: new Secret(jwt), expiresAtMs, clockNotice: clockNotice(beginsAtMs, expected.nowMs) };
}

/** @throws MachineIdError RESPONSE_INVALID, whose message holds no part of the token */
export function readJwtClaims(jwt: string): z.infer<typeof Claims> {
  const claims = Claims.safeParse(decode(jwt));
  if (!claims.success) throw unreadable('it lacks the claims "sub", "aud" or "exp"');
  return claims.data;
}

/** Compact form and nothing else, since the text is written to a file unchanged. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

function decode(jwt: string): JWTPayload {
  if (!COMPACT.test(jwt)) throw unreadable('it is not a JWT');
  try {
    return decodeJwt(jwt);
  } catch {
    // Without the cause: jose's message may quote the token, which is a secret.
    throw unreadable('it is not a JWT');
  }
}

function unreadable(detail: string): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `the JWT SVID from the cluster cannot be read: ${detail}`, {
    hint: 'Run the job again; if the error persists, check any proxy between this job and the cluster.',
  });
}

function jwtMismatch(detail: string): MachineIdError {
  return credentialMismatch('the JWT SVID', detail);
}

// Names of workloads (SPIFFE-ID specification, section 2).

/** Whether the text is a SPIFFE ID with a path, in the domain of a cluster. */
export function isInTrustDomain(spiffeId: string, trustDomain: string): boolean {
  const prefix = `spiffe://${trustDomain}/`;
  return spiffeId.startsWith(prefix) && /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/.test(spiffeId.slice(prefix.length));
}
