/** Decides about the join of a bot: the common part of both ways to join, after the request is read. */
import { randomUUID } from 'node:crypto';
import { sshKeys, tlsCertificates } from '../data/authorities.ts';
import { botUserName, DEFAULT_JOIN_TTL_MS, MAX_BOT_TTL_MS, type JoinToken } from '../data/data.ts';
import { NO_ACCESS, type Identity } from '../data/identity.ts';
import { issue } from './issue.ts';
import { requireAllowed } from './join-rules.ts';
import { oidcError } from '../issuer/oidc-errors.ts';
import {
  CONTEXTS_CLAIM,
  PROJECT_CLAIM,
  readClaims,
  type CircleCiClaims,
  type OidcVerifier,
} from '../issuer/oidc-verifier.ts';
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

export async function admit(world: World, verifier: OidcVerifier, attempt: JoinAttempt): Promise<JoinResult> {
  requireCircleCi(world, attempt);
  const claims = await verifier(attempt.idToken, attempt.token.organizationId);
  requireAllowed(attempt.token, claims);
  requireUsableKeys(world, attempt.keys);
  const { ssh, tls } = await issue(
    world,
    { identity: botIdentity(world, attempt, claims), keys: attempt.keys, notAfter: expiry(attempt.expires) },
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

/** A token of another method fails with an error of that method, which does not mention that the method is wrong. */
function requireCircleCi(world: World, attempt: JoinAttempt): void {
  switch (attempt.token.method) {
    case 'circleci':
      return;
    case 'iam':
      throw accessDenied(
        'this token is only valid for the iam join method but the node has connected to the wrong endpoint',
      );
    case 'github': {
      const got = readClaims(attempt.idToken)?.iss ?? '';
      const problem = oidcError(world.profile.oidcErrors, { kind: 'issuer', expected: GITHUB_ISSUER, got });
      throw accessDenied(problem.message);
    }
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

function botIdentity(world: World, attempt: JoinAttempt, claims: CircleCiClaims): Identity {
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
    joinAttributes: world.profile.joinAttributes ? joinAttributes(attempt, claims) : undefined,
    impersonator: undefined,
    disallowReissue: false,
    loginIp: attempt.remoteAddress,
    ...NO_ACCESS,
  };
}

function joinAttributes(attempt: JoinAttempt, claims: CircleCiClaims): string {
  return JSON.stringify({
    meta: { join_token_name: attempt.token.name, join_method: 'circleci' },
    circleci: { sub: claims.sub, context_ids: claims[CONTEXTS_CLAIM], project_id: claims[PROJECT_CLAIM] },
  });
}
