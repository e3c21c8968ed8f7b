/** The claims of CircleCI's OIDC tokens, as CircleCI documents them (CircleCI facts 1.2). */

export interface KnownClaim {
  readonly type: 'string' | 'boolean' | 'number' | 'strings';
  /** Tokens of pipelines that a custom webhook triggers do not have it. */
  readonly absentForWebhooks?: true;
  /** Every OIDC token has it, whatever made it. */
  readonly standard?: true;
}

export const PREFIX = 'oidc.circleci.com/';

export const PROJECT_ID = `${PREFIX}project-id`;
export const CONTEXT_IDS = `${PREFIX}context-ids`;
export const VCS_REF = `${PREFIX}vcs-ref`;
export const VCS_ORIGIN = `${PREFIX}vcs-origin`;
export const SSH_RERUN = `${PREFIX}ssh-rerun`;
export const ORG_ID = `${PREFIX}org-id`;
export const PIPELINE_DEFINITION_ID = `${PREFIX}pipeline-definition-id`;

export const KNOWN_CLAIMS: ReadonlyMap<string, KnownClaim> = new Map<string, KnownClaim>([
  ['iss', { type: 'string', standard: true }],
  ['sub', { type: 'string', standard: true }],
  ['aud', { type: 'string', standard: true }],
  ['iat', { type: 'number', standard: true }],
  ['exp', { type: 'number', standard: true }],
  [CONTEXT_IDS, { type: 'strings' }],
  [`${PREFIX}job-id`, { type: 'string' }],
  [ORG_ID, { type: 'string' }],
  [PIPELINE_DEFINITION_ID, { type: 'string' }],
  [`${PREFIX}pipeline-id`, { type: 'string' }],
  [PROJECT_ID, { type: 'string' }],
  [SSH_RERUN, { type: 'boolean' }],
  [VCS_ORIGIN, { type: 'string', absentForWebhooks: true }],
  [VCS_REF, { type: 'string', absentForWebhooks: true }],
  [`${PREFIX}workflow-id`, { type: 'string' }],
]);
