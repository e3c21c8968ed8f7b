/** Turns a cluster's refusal of a join into an error that says what to change. */
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../teleport/trace-error.ts';

/** What the join was about; all of it may be shown. */
export interface JoinFacts {
  readonly tokenName: string;
  readonly organizationId: string | undefined;
  readonly projectId: string | undefined;
  readonly contextIds: readonly string[];
}

/** Far more than Teleport's longest refusal. */
const MAX_TEXT_CHARACTERS = 4096;

/** Texts that differ by version, told apart by what they have in common. */
const OIDC_FAULTS = [
  'discovering oidc document',
  'verifying token',
  'token has expired',
  'token is expired',
  'issuer does not match',
  'issued by a different provider',
  'audience is not valid',
  'expected audience',
  'authorized party is not set',
  'invalid signature',
  'failed to verify signature',
  'signature algorithm not supported',
  'issuedat of token is in the future',
  'parsing of request failed',
  'malformed jwt',
  'id_token',
  'idtoken is required',
];

/**
 * @param serverText the server's own words
 * @param denied whether the server meant a refusal (403, 400, PermissionDenied, InvalidArgument) and not a fault of its own
 */
export function joinRefusal(serverText: string, denied: boolean, facts: JoinFacts, cause?: unknown): MachineIdError {
  const text = serverText.slice(0, MAX_TEXT_CHARACTERS).toLowerCase();
  const said = oneLine(serverText);
  if (text.includes('did not match any allow rules')) return claimsRefused(facts, said, cause);
  if (text.includes('token expired or not found')) {
    return new MachineIdError(
      'JOIN_TOKEN_UNKNOWN',
      `the cluster has no valid join token "${facts.tokenName}": ${said}`,
      {
        hint: 'Compare onboarding.token (or --token) with "tctl tokens ls", or create the token: kind token, version v2, join_method circleci, roles [Bot] and the name of the bot.',
        cause,
      },
    );
  }
  if (/only supports method|only valid for the|does not allow .*"?bot"? ?role|does not allow role bot/.test(text)) {
    return new MachineIdError(
      'JOIN_METHOD_MISMATCH',
      `join token "${facts.tokenName}" is not one for a bot by circleci: ${said}`,
      {
        hint: 'Set spec.join_method: circleci, spec.roles: [Bot] and spec.bot_name in that token, or name another token.',
        cause,
      },
    );
  }
  if (OIDC_FAULTS.some((fault) => text.includes(fault))) return oidcRefused(facts, said, cause);
  if (denied) {
    return new MachineIdError('JOIN_DENIED', `the cluster refused the join with token "${facts.tokenName}": ${said}`, {
      hint: 'Read the token with "tctl get token/NAME" and the audit log of the cluster (event bot.join) for the reason.',
      cause,
    });
  }
  return new MachineIdError('JOIN_FAILED', `the cluster failed during the join: ${said}`, {
    hint: 'Run the job again; if it stays, look into the log of the Auth Service at this time.',
    cause,
  });
}

function claimsRefused({ tokenName, projectId, contextIds }: JoinFacts, said: string, cause: unknown): MachineIdError {
  const contexts = contextIds.length === 0 ? 'no context' : `the context ${contextIds.join(', ')}`;
  const rule = [
    `project_id: ${projectId ?? '<project id>'}`,
    ...contextIds.slice(0, 1).map((id) => `context_id: ${id}`),
  ];
  return new MachineIdError(
    'JOIN_CLAIMS_REFUSED',
    `join token "${tokenName}" has no rule that allows this job: project ${projectId ?? 'unknown'}, ${contexts} (${said})`,
    {
      hint: `Add to spec.circleci.allow of that token: "- {${rule.join(', ')}}", or run this job in the project and context that it names.`,
      cause,
    },
  );
}

function oidcRefused({ tokenName, organizationId }: JoinFacts, said: string, cause: unknown): MachineIdError {
  return new MachineIdError('JOIN_OIDC_REFUSED', `the cluster does not accept the job's OIDC token: ${said}`, {
    hint: `Check that spec.circleci.organization_id of join token "${tokenName}" is ${organizationId ?? 'the organization of this job'}, that the token's audience is that id too, that the clocks agree, and that the Auth Service can reach https://oidc.circleci.com.`,
    cause,
  });
}
