/** Checks that a JWT SVID is what was asked for (SPIFFE's JWT-SVID specification, section 3). */
import { decodeJwt, type JWTPayload } from 'jose';
import * as z from 'zod/mini';
import { MachineIdError } from '../errors.ts';
import { clockNotice, type ValidityExpectation, validityFault } from '../crypto/validity.ts';
import { Secret } from '../effects/secret.ts';
import { credentialMismatch } from './mismatch.ts';
import { isOfTrustDomain } from './spiffe-id.ts';
import type { JwtSvid } from './svid.ts';

export interface CheckedJwtSvid {
  readonly spiffeId: string;
  readonly jwt: Secret;
  readonly expiresAtMs: number;
  /** A sentence for the summary when the clock is behind. */
  readonly clockNotice: string | undefined;
}

export interface JwtSvidExpectation extends ValidityExpectation {
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
 * The signature is not looked at: the token came over a connection on which the Auth Service proved itself, and is for
 * others to verify.
 * @throws MachineIdError CERTIFICATE_MISMATCH, REPLY_INVALID; their messages hold no part of the token
 */
export function checkJwtSvid({ jwt, spiffeId }: JwtSvid, expected: JwtSvidExpectation): CheckedJwtSvid {
  const { sub, aud, exp, nbf = 0 } = readJwtClaims(jwt);
  if (sub !== spiffeId || !isOfTrustDomain(sub, expected.trustDomain)) {
    throw mismatch(`it names ${JSON.stringify(sub)}, expected a SPIFFE ID of "${expected.trustDomain}"`);
  }
  const got = [aud].flat().sort();
  const asked = [...new Set(expected.audiences)].sort();
  if (got.length !== asked.length || got.some((audience, at) => audience !== asked[at])) {
    throw mismatch(`it is for the audiences ${got.join(', ')}, asked for ${asked.join(', ')}`);
  }
  const expiresAtMs = exp * 1000;
  if (!Number.isFinite(expiresAtMs)) throw unreadable('its end is no time');
  const beginsAtMs = nbf * 1000;
  const fault = validityFault('it', { beginsAtMs, endsAtMs: expiresAtMs }, expected);
  if (fault !== undefined) throw mismatch(fault);
  return { spiffeId: sub, jwt: new Secret(jwt), expiresAtMs, clockNotice: clockNotice(beginsAtMs, expected.nowMs) };
}

/** @throws MachineIdError REPLY_INVALID, whose message holds no part of the token */
export function readJwtClaims(jwt: string): z.infer<typeof Claims> {
  const claims = Claims.safeParse(decode(jwt));
  if (!claims.success) throw unreadable('it lacks the claims "sub", "aud" or "exp"');
  return claims.data;
}

/** Compact form, and nothing besides: the text becomes a file as it is. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

function decode(jwt: string): JWTPayload {
  if (!COMPACT.test(jwt)) throw unreadable('it is no JWT');
  try {
    return decodeJwt(jwt);
  } catch {
    // jose's message may quote the token, which is a secret: the cause is left out on purpose.
    throw unreadable('it is no JWT');
  }
}

function unreadable(detail: string): MachineIdError {
  return new MachineIdError('REPLY_INVALID', `the JWT SVID from the cluster cannot be read: ${detail}`, {
    hint: 'Run the job again; if it stays, look at what lies between this job and the cluster.',
  });
}

function mismatch(detail: string): MachineIdError {
  return credentialMismatch('the JWT SVID', detail);
}
