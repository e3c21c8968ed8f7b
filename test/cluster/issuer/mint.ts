/** Mints OIDC tokens with the claims of a CircleCI job's token. */
import { randomUUID, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { CONTEXT_ID, ORGANIZATION_ID, PROJECT_ID } from '../data/data.ts';
import { CIRCLECI_ISSUER, CONTEXTS_CLAIM, PROJECT_CLAIM } from './oidc-verifier.ts';

export interface MintOptions {
  readonly project?: string | undefined;
  readonly contexts?: readonly string[] | undefined;
  readonly organization?: string | undefined;
  readonly ttlSeconds?: number | undefined;
  readonly expired?: boolean | undefined;
  readonly notYetValid?: boolean | undefined;
  /** How long ago it was issued. */
  readonly ageSeconds?: number | undefined;
  readonly audience?: string | readonly string[] | undefined;
  /** The full issuer, such as `https://circleci.example.com/org/<id>`, for a token that no issuer here would sign. */
  readonly issuer?: string | undefined;
  /** Whether the CircleCI Server of the cluster signs it: its issuer, unless another is given, and its key. */
  readonly server?: boolean | undefined;
  readonly sshRerun?: boolean | undefined;
  readonly vcsRef?: string | undefined;
  /** As `github.com/example/app`. */
  readonly vcsOrigin?: string | undefined;
  /** A token of a pipeline triggered by a custom webhook contains neither repository nor ref. */
  readonly withoutVcs?: boolean | undefined;
  /** `CIRCLE_OIDC_TOKEN_V2` has a longer subject. */
  readonly form?: 'v1' | 'v2' | undefined;
  /** Sets any claim, or removes it by null. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** False for a header without the key's id. */
  readonly keyId?: boolean | undefined;
}

export const ISSUER_KEY_ID = 'embedded-issuer';
/** The CircleCI Server signs with the same key under another id, which the cloud's keys do not contain. */
export const SERVER_KEY_ID = 'embedded-circleci-server';
export const SERVER_HOST = 'circleci.example.test';
export const SERVER_ISSUER = `https://${SERVER_HOST}`;

const HOUR_SECONDS = 3600;
const VCS_ORIGIN = 'github.com/example/app';
const VCS_REF = 'refs/heads/main';
const USER_ID = '5f1c8f0e-77f4-4e0b-9c58-3f7d2a1b9c10';

export function mintToken(key: KeyObject, options: MintOptions): Promise<string> {
  const claims = { ...jobClaims(options), ...options.claims };
  const kid = options.server === true ? SERVER_KEY_ID : ISSUER_KEY_ID;
  return new SignJWT(Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null)))
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(options.keyId === false ? {} : { kid }) })
    .sign(key);
}

function jobClaims(options: MintOptions): Record<string, unknown> {
  const organization = options.organization ?? ORGANIZATION_ID;
  const project = options.project ?? PROJECT_ID;
  const issuedAt = issueTime(options);
  return {
    iss: options.issuer ?? `${options.server === true ? SERVER_ISSUER : CIRCLECI_ISSUER}/org/${organization}`,
    sub: subject(organization, project, options),
    aud: options.audience ?? organization,
    iat: issuedAt,
    exp: issuedAt + (options.ttlSeconds ?? HOUR_SECONDS),
    ...(options.notYetValid === true ? { nbf: issuedAt } : {}),
    [CONTEXTS_CLAIM]: options.contexts ?? [CONTEXT_ID],
    'oidc.circleci.com/job-id': randomUUID(),
    'oidc.circleci.com/org-id': organization,
    'oidc.circleci.com/pipeline-definition-id': randomUUID(),
    'oidc.circleci.com/pipeline-id': randomUUID(),
    [PROJECT_CLAIM]: project,
    'oidc.circleci.com/ssh-rerun': options.sshRerun ?? false,
    ...(options.withoutVcs === true
      ? {}
      : {
          'oidc.circleci.com/vcs-origin': options.vcsOrigin ?? VCS_ORIGIN,
          'oidc.circleci.com/vcs-ref': options.vcsRef ?? VCS_REF,
        }),
    'oidc.circleci.com/workflow-id': randomUUID(),
  };
}

function issueTime(options: MintOptions): number {
  const now = Math.floor(Date.now() / 1000) - (options.ageSeconds ?? 0);
  if (options.notYetValid === true) {
    return now + HOUR_SECONDS;
  }
  return options.expired === true ? now - (options.ttlSeconds ?? HOUR_SECONDS) - 60 : now;
}

/** The second form ends with the origin and the ref, unless there is neither. */
function subject(organization: string, project: string, options: MintOptions): string {
  const short = `org/${organization}/project/${project}/user/${USER_ID}`;
  if (options.form !== 'v2' || options.withoutVcs === true) {
    return short;
  }
  return `${short}/vcs-origin/${options.vcsOrigin ?? VCS_ORIGIN}/vcs-ref/${options.vcsRef ?? VCS_REF}`;
}
