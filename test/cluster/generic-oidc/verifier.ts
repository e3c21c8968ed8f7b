/**
 * Verifies the JWT of a `generic_oidc` join, by discovery or with the keys in the token resource (generic-oidc.md, "The
 * JWT"; lib/join/genericoidc/validator.go@88fbae6a).
 */
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { fetchJson, type Hosts } from './fetch-json.ts';
import { goQuoted, inContext, JsonRecord, Refusal, type JsonObject } from './go-values.ts';
import type { GenericOidcSpec } from './token-spec.ts';

/** Resolves with all claims of the JWT; rejects with a Refusal. */
export type GenericOidcVerifier = (token: string, spec: GenericOidcSpec) => Promise<JsonObject>;

interface VerifierOptions {
  /** PEM; what the machine of the Auth Service trusts. */
  readonly systemRoots: string;
  readonly hosts: Hosts;
}

const Claims = z.object({
  iss: z.string().default(''),
  sub: z.string().default(''),
  aud: z.union([z.string().transform((one) => [one]), z.array(z.string())]).default([]),
  azp: z.string().default(''),
  nonce: z.string().default(''),
  exp: z.number().optional(),
  iat: z.number().optional(),
  nbf: z.number().optional(),
});

type StandardClaims = z.infer<typeof Claims>;

interface Parsed {
  readonly standard: StandardClaims;
  readonly all: JsonObject;
}

const Key = z.looseObject({
  kty: z.string(),
  kid: z.string().default(''),
  alg: z.string().default(''),
  use: z.string().default(''),
  crv: z.string().default(''),
});
const Keys = z.object({ keys: z.array(Key) });

type Key = z.infer<typeof Key>;

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** Of zitadel/oidc, where the discovery document does not matter. */
const DISCOVERY_ALGORITHMS = ['RS256', 'ES256', 'PS256'];
const STATIC_ALGORITHMS = new Set('RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA'.split(' '));
const DISCOVERY_OFFSET_MS = 1000;
const STATIC_LEEWAY_MS = 10_000;

export function genericOidcVerifier(options: VerifierOptions): GenericOidcVerifier {
  const issuers = new Map<string, Issuer>();
  return async (token, spec) => {
    if (spec.staticJwks !== '') {
      return inside('validating via static_jwks', () => verifyWithKeys(token, spec));
    }
    return inside('validating via oidc', async () => {
      const key = JSON.stringify([spec.issuer, spec.audience, createHash('sha256').update(spec.tlsCa).digest('hex')]);
      const issuer = issuers.get(key) ?? new Issuer(spec.issuer, trustOf(spec, options), options.hosts);
      issuers.set(key, issuer);
      return inside('validating OIDC token', async () => {
        await issuer.discover();
        return inside('verifying token', () => verifyByDiscovery(token, spec, issuer));
      });
    });
  };
}

async function inside<T>(context: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inContext(context, error);
  }
}

/** `tls_ca` replaces the system's roots. */
function trustOf({ tlsCa }: GenericOidcSpec, { systemRoots }: VerifierOptions): string {
  if (tlsCa === '') {
    return systemRoots;
  }
  try {
    new X509Certificate(tlsCa);
  } catch {
    throw new Refusal('constructing cached http client\n\tno valid certificates in `tls_ca`');
  }
  return tlsCa;
}

/** Discovery and keys of an issuer; what was fetched stays, as the cluster lives shorter than Teleport's caches. */
class Issuer {
  readonly #issuer: string;
  readonly #ca: string;
  readonly #hosts: Hosts;
  #jwksUri: string | undefined;
  #keys: readonly Key[] = [];

  constructor(issuer: string, ca: string, hosts: Hosts) {
    this.#issuer = issuer;
    this.#ca = ca;
    this.#hosts = hosts;
  }

  async discover(): Promise<void> {
    if (this.#jwksUri !== undefined) {
      return;
    }
    const url = `${this.#issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    let document: z.infer<typeof Discovery>;
    try {
      document = Discovery.parse(await fetchJson(url, this.#ca, this.#hosts));
    } catch (error) {
      throw new Refusal(`OpenID Provider Configuration Discovery has failed\n${String(error)}`);
    }
    if (document.issuer !== this.#issuer) {
      throw new Refusal(`issuer does not match: Expected: ${this.#issuer}, got: ${document.issuer}`);
    }
    this.#jwksUri = document.jwks_uri;
  }

  /** Fetches the keys if the one that the token names is not known yet. */
  async keysFor(token: string): Promise<readonly Key[]> {
    const { kid } = decodeProtectedHeader(token);
    if (!this.#keys.some((key) => key.kid === kid)) {
      this.#keys = Keys.parse(await fetchJson(this.#jwksUri ?? '', this.#ca, this.#hosts)).keys;
    }
    return this.#keys;
  }
}

/** The checks of zitadel/oidc 3.52 in their order, `azp` but for its absence left out. */
async function verifyByDiscovery(token: string, spec: GenericOidcSpec, issuer: Issuer): Promise<JsonObject> {
  const { all, standard } = parse(token);
  const problem = partyProblem(standard, spec);
  if (problem !== undefined) {
    throw new Refusal(problem);
  }
  try {
    await requireSignature(token, await issuer.keysFor(token), DISCOVERY_ALGORITHMS);
  } catch (error) {
    throw new Refusal(`invalid signature (${String(error)})`);
  }
  const late = discoveryTimeProblem(standard);
  if (late !== undefined) {
    throw new Refusal(late);
  }
  if (standard.nonce !== '') {
    throw new Refusal(`nonce does not match: expected "" but was ${goQuoted(standard.nonce)}`);
  }
  return all;
}

function partyProblem({ aud, azp, iss, sub }: StandardClaims, spec: GenericOidcSpec): string | undefined {
  if (sub === '') {
    return 'subject missing';
  }
  if (iss !== spec.issuer) {
    return `issuer does not match: Expected: ${spec.issuer}, got: ${iss}`;
  }
  if (!aud.includes(spec.audience)) {
    return `audience is not valid: Audience must contain client_id ${goQuoted(spec.audience)}`;
  }
  return aud.length > 1 && azp === ''
    ? 'authorized party is not set. If Token is valid for multiple audiences, azp must not be empty'
    : undefined;
}

/** From one second before `exp` on it has expired; `iat` is at most one second ahead; `nbf` is not read. */
function discoveryTimeProblem({ exp = 0, iat = 0 }: StandardClaims): string | undefined {
  const ahead = Date.now() + DISCOVERY_OFFSET_MS;
  if (ahead >= exp * 1000) {
    return 'token has expired';
  }
  if (iat === 0) {
    return 'issuedAt of token is missing';
  }
  return iat > Math.round(ahead / 1000) ? 'issuedAt of token is in the future' : undefined;
}

async function verifyWithKeys(token: string, spec: GenericOidcSpec): Promise<JsonObject> {
  const keys = staticKeys(spec.staticJwks);
  const { all, standard } = await inside('parsing jwt', () => Promise.resolve(parse(token)));
  await inside('validating jwt signature', async () => {
    try {
      await requireSignature(token, keys, [...STATIC_ALGORITHMS]);
    } catch (error) {
      throw new Refusal(String(error));
    }
  });
  const problem = missingClaim(standard);
  if (problem !== undefined) {
    throw new Refusal(problem);
  }
  const failed = staticProblem(standard, spec);
  if (failed !== undefined) {
    throw new Refusal(`validating standard claims\n\tgo-jose/go-jose/jwt: ${failed}`);
  }
  return all;
}

/** Keys for signatures, with the algorithm that they name or that their type has. */
function staticKeys(text: string): readonly Key[] {
  let set: z.infer<typeof Keys>;
  try {
    set = Keys.parse(JSON.parse(text));
  } catch (error) {
    throw new Refusal(`parsing provided jwks\n\t${String(error)}`);
  }
  const usable = set.keys
    .filter(({ use }) => use === '' || use === 'sig')
    .map((key) => ({ ...key, alg: key.alg === '' ? algorithmOf(key) : key.alg }))
    .filter(({ alg }) => STATIC_ALGORITHMS.has(alg));
  if (usable.length === 0) {
    throw new Refusal('static_jwks contains no keys with a usable signature algorithm');
  }
  return usable;
}

function algorithmOf({ crv, kty }: Key): string {
  const byCurve = new Map([
    ['P-256', 'ES256'],
    ['P-384', 'ES384'],
    ['P-521', 'ES512'],
  ]);
  return kty === 'RSA' ? 'RS256' : kty === 'OKP' ? 'EdDSA' : (byCurve.get(crv) ?? '');
}

/** Only a key whose id the token names is tried. */
async function requireSignature(token: string, keys: readonly Key[], algorithms: string[]): Promise<void> {
  const { alg, kid } = decodeProtectedHeader(token);
  const key = keys.find((one) => kid !== undefined && one.kid === kid && (one.alg === '' || one.alg === alg));
  if (key === undefined) {
    throw new Error('JWK with matching kid not found in JWK Set');
  }
  await compactVerify(token, createPublicKey({ key, format: 'jwk' }), { algorithms });
}

function missingClaim({ exp, iat, sub }: StandardClaims): string | undefined {
  const name = exp === undefined ? 'exp' : iat === undefined ? 'iat' : sub === '' ? 'sub' : undefined;
  return name === undefined ? undefined : `token must have ${name === 'sub' ? 'a' : 'an'} \`${name}\` claim`;
}

/** Several audiences pass, and clocks may differ by ten seconds. */
function staticProblem(
  { aud, exp = 0, iat = 0, iss, nbf = 0 }: StandardClaims,
  spec: GenericOidcSpec,
): string | undefined {
  const now = Date.now();
  if (iss !== spec.issuer) {
    return 'validation failed, invalid issuer claim (iss)';
  }
  if (!aud.includes(spec.audience)) {
    return 'validation failed, invalid audience claim (aud)';
  }
  if (now + STATIC_LEEWAY_MS < nbf * 1000) {
    return 'validation failed, token not valid yet (nbf)';
  }
  if (now - STATIC_LEEWAY_MS > exp * 1000) {
    return 'validation failed, token is expired (exp)';
  }
  return now + STATIC_LEEWAY_MS < iat * 1000 ? 'validation field, token issued in the future (iat)' : undefined;
}

function parse(token: string): Parsed {
  const parts = token.split('.');
  if (parts.length !== 3) {
    throw new Refusal('parsing of request failed: token contains an invalid number of segments');
  }
  try {
    const all = JsonRecord.parse(JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8')));
    return { all, standard: Claims.parse(all) };
  } catch (error) {
    throw new Refusal(`parsing of request failed: malformed jwt payload: ${String(error)}`);
  }
}
