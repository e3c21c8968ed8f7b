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
  /** The full issuer, such as `https://circleci.example.com/org/<id>` for a token of CircleCI server. */
  readonly issuer?: string | undefined;
  readonly sshRerun?: boolean | undefined;
  readonly vcsRef?: string | undefined;
  /** As `github.com/example/app`. */
  readonly vcsOrigin?: string | undefined;
  /** A token of a pipeline triggered by a custom webhook contains neither repository nor ref. */
  readonly withoutVcs?: boolean | undefined;
  /** `CIRCLE_OIDC_TOKEN_V2` has a longer subject. */
  readonly form?: 'v1' | 'v2' | undefined;
}

export const ISSUER_KEY_ID = 'embedded-issuer';

const HOUR_SECONDS = 3600;
const VCS_ORIGIN = 'github.com/example/app';
const VCS_REF = 'refs/heads/main';
const USER_ID = '5f1c8f0e-77f4-4e0b-9c58-3f7d2a1b9c10';

export function mintToken(key: KeyObject, options: MintOptions): Promise<string> {
  const organization = options.organization ?? ORGANIZATION_ID;
  const project = options.project ?? PROJECT_ID;
  const issuedAt = issueTime(options);
  const audience = options.audience ?? organization;
  return new SignJWT({
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
    ...(options.notYetValid === true ? { nbf: issuedAt } : {}),
  })
    .setProtectedHeader({ alg: 'RS256', kid: ISSUER_KEY_ID, typ: 'JWT' })
    .setIssuer(options.issuer ?? `${CIRCLECI_ISSUER}/org/${organization}`)
    .setSubject(subject(organization, project, options.form ?? 'v1'))
    .setAudience(typeof audience === 'string' ? audience : [...audience])
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + (options.ttlSeconds ?? HOUR_SECONDS))
    .sign(key);
}

function issueTime(options: MintOptions): number {
  const now = Math.floor(Date.now() / 1000) - (options.ageSeconds ?? 0);
  if (options.notYetValid === true) {
    return now + HOUR_SECONDS;
  }
  return options.expired === true ? now - (options.ttlSeconds ?? HOUR_SECONDS) - 60 : now;
}

function subject(organization: string, project: string, form: 'v1' | 'v2'): string {
  const short = `org/${organization}/project/${project}/user/${USER_ID}`;
  return form === 'v1' ? short : `${short}/vcs-origin/${VCS_ORIGIN}/vcs-ref/${VCS_REF}`;
}
