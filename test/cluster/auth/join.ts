/** Decides about the join of a bot: the common part of both ways to join, after the request is read. */
import { randomUUID } from 'node:crypto';
import { sshKeys, tlsCertificates } from '../data/authorities.ts';
import { botUserName, DEFAULT_JOIN_TTL_MS, MAX_BOT_TTL_MS, type JoinToken } from '../data/data.ts';
import { NO_ACCESS, type Identity } from '../data/identity.ts';
import { issue } from './issue.ts';
import { requireAllowed } from './join-rules.ts';
import { GoPanic, NotModelled, Refusal } from '../generic-oidc/go-values.ts';
import { requireAdmitted } from '../generic-oidc/rules.ts';
import type { GenericOidcSpec } from '../generic-oidc/token-spec.ts';
import { oidcError } from '../issuer/oidc-errors.ts';
import { CONTEXTS_CLAIM, PROJECT_CLAIM, readClaims, type OidcVerifier } from '../issuer/oidc-verifier.ts';
import type { PublicKeys } from './public-keys.ts';
import { accessDenied, badParameter } from '../data/teleport-errors.ts';
import { ownAuthority, type World } from '../world.ts';

export interface JoinAttempt {
  readonly token: JoinToken;
  readonly idToken: string;
  readonly keys: PublicKeys;
  readonly expires: Date | undefined;
  readonly remoteAddress: string;
}

export interface JoinResult {
  /** DER, like all X.509 data here. */
  readonly tls: Buffer | undefined;
  /** Wire format, like all SSH data here. */
  readonly ssh: Buffer | undefined;
  readonly tlsAuthorities: readonly Buffer[];
  readonly sshAuthorities: readonly Buffer[];
}

const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';

/** A missing token and an expired one give the same error. */
export function findToken(world: World, name: string, refusal: string): JoinToken {
  const token = world.resources.tokens.find((candidate) => candidate.name === name);
  const scoped = world.profile.scopedTokens && isScopeQualified(name);
  if (token === undefined || scoped || (token.expiresAt !== undefined && token.expiresAt.getTime() <= Date.now())) {
    throw accessDenied(refusal);
  }
  return token;
}

/** There are no scoped tokens here, because Teleport does not allow them for the method circleci. */
function isScopeQualified(name: string): boolean {
  const [scope, ...rest] = name.split('::');
  return scope !== '' && rest.join('::') !== '';
}

/** @throws GoPanic if the Auth Service would not survive the attempt */
export async function admit(world: World, verifier: OidcVerifier, attempt: JoinAttempt): Promise<JoinResult> {
  const attributes = await identify(world, verifier, attempt);
  requireUsableKeys(world, attempt.keys);
  const { ssh, tls } = await issue(
    world,
    { identity: botIdentity(world, attempt, attributes), keys: attempt.keys, notAfter: expiry(attempt.expires) },
    world.faults.joinCertificates,
  );
  const authorities = [ownAuthority(world, 'host'), ownAuthority(world, 'user')];
  return {
    tls,
    ssh,
    tlsAuthorities: authorities.flatMap(tlsCertificates),
    sshAuthorities: authorities.flatMap(sshKeys),
  };
}

/**
 * What the certificate then contains about the job. A token of another method fails with an error of that method, which does
 * not mention that the method is wrong.
 */
async function identify(world: World, verifier: OidcVerifier, { idToken, token }: JoinAttempt): Promise<object> {
  switch (token.method) {
    case 'circleci': {
      const claims = await verifier.circleci(idToken, token.organizationId);
      requireAllowed(token, claims);
      return {
        circleci: { sub: claims.sub, context_ids: claims[CONTEXTS_CLAIM], project_id: claims[PROJECT_CLAIM] },
      };
    }
    case 'generic_oidc': {
      if (token.genericOidc === undefined) {
        throw new RangeError(`token "${token.name}" was not created by tctl`);
      }
      return identifyGenerically(world, verifier, idToken, token.genericOidc);
    }
    case 'iam':
      throw accessDenied(
        'this token is only valid for the iam join method but the node has connected to the wrong endpoint',
      );
    case 'github': {
      const got = readClaims(idToken)?.iss ?? '';
      const problem = oidcError(world.profile.oidcErrors, { kind: 'issuer', expected: GITHUB_ISSUER, got });
      throw accessDenied(problem.message);
    }
  }
}

/** Every refusal reads the same; the reason is logged (generic-oidc.md, "The wire"). */
async function identifyGenerically(
  { log }: World,
  verifier: OidcVerifier,
  idToken: string,
  spec: GenericOidcSpec,
): Promise<object> {
  try {
    const claims = await verifier.genericOidc(idToken, spec);
    requireAdmitted(spec, claims);
    return { generic_oidc: { claims } };
  } catch (error) {
    if (error instanceof GoPanic) {
      log.add({ level: 'ERROR', message: 'panic in a goroutine that does not recover', error: error.message });
      throw error;
    }
    if (!(error instanceof Refusal) && !(error instanceof NotModelled)) {
      throw error;
    }
    log.add({ level: 'WARN', message: 'denying generic_oidc join attempt', error: error.message });
    throw accessDenied('unable to join via generic_oidc');
  }
}

function requireUsableKeys(world: World, keys: PublicKeys): void {
  if (world.profile.suite === 'legacy' && keys.tls?.asymmetricKeyType === 'ed25519') {
    throw badParameter('unsupported public key algorithm Ed25519');
  }
}

function expiry(requested: Date | undefined): Date {
  const now = Date.now();
  if (requested !== undefined && requested.getTime() <= now) {
    throw badParameter('the requested certificate expiry is in the past');
  }
  return new Date(Math.min(requested?.getTime() ?? now + DEFAULT_JOIN_TTL_MS, now + MAX_BOT_TTL_MS));
}

function botIdentity(world: World, attempt: JoinAttempt, attributes: object): Identity {
  const userName = botUserName(attempt.token.botName);
  return {
    userName,
    roles: [userName],
    // a role without logins gets one that cannot exist
    principals: [`-teleport-nologin-${randomUUID()}`, '-teleport-internal-join'],
    routeToCluster: world.clusterName,
    botName: attempt.token.botName,
    usages: [],
    botInstanceId: world.profile.botInstances ? randomUUID() : undefined,
    joinAttributes: world.profile.joinAttributes ? joinAttributes(attempt, attributes) : undefined,
    impersonator: undefined,
    disallowReissue: false,
    loginIp: attempt.remoteAddress,
    ...NO_ACCESS,
  };
}

function joinAttributes({ token }: JoinAttempt, attributes: object): string {
  return JSON.stringify({ meta: { join_token_name: token.name, join_method: token.method }, ...attributes });
}
