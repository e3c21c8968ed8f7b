/** Turns a cluster's refusal of a join into an error that explains the reason and the fix. */
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../net/network-error.ts';
import { mayBeScopeQualified, mentionsScopes, SCOPES_HINT } from '../teleport/names.ts';
import { alsoAllows, formatRule, type JoinFacts, narrowestRule } from './facts.ts';
import { genericOidcUnknown, mayKnowGenericOidc } from './generic-oidc.ts';
import { maskedRefusal } from './masked-refusal.ts';
import { oidcRefusal } from './oidc-refusal.ts';

/** Far more than Teleport's longest refusal. */
const MAX_TEXT_CHARACTERS = 4096;

/**
 * @param serverText the text of the server
 * @param denied whether the status is a refusal (403, 400, PermissionDenied, InvalidArgument) and not a failure of the server
 */
export function joinRefusal(serverText: string, denied: boolean, facts: JoinFacts, cause?: unknown): MachineIdError {
  const text = serverText.slice(0, MAX_TEXT_CHARACTERS).toLowerCase();
  const refusal: Refusal = { facts, said: oneLine(serverText), cause };
  if (text.includes('did not match any allow rules')) return claimsRefused(refusal);
  if (text.includes('unable to join via generic_oidc')) {
    return maskedRefusal(facts, `the cluster${clusterOf(facts)}`, refusal.said, cause);
  }
  const isOtherToken = /token expired or not found|only supports method/.test(text);
  if (isOtherToken && facts.joinMethod === 'generic_oidc' && !mayKnowGenericOidc(facts)) {
    return genericOidcUnknown(facts, refusal.said, cause);
  }
  if (text.includes('token expired or not found')) return tokenUnknown(refusal);
  if (/only supports method|only valid for the|does not allow .*"?bot"? ?role|does not allow role bot/.test(text)) {
    return otherMethod(refusal, text);
  }
  const oidc = oidcRefusal(text, facts);
  if (oidc !== undefined) {
    const where = `the cluster${clusterOf(facts)} does not accept the job's OIDC token`;
    return new MachineIdError('JOIN_OIDC_REFUSED', `${where}: ${refusal.said}`, { ...oidc, cause });
  }
  if (mentionsScopes(text.replaceAll(facts.tokenName.toLowerCase(), ''))) return scoped(refusal);
  return denied ? otherwiseDenied(refusal, text) : failed(refusal);
}

interface Refusal {
  readonly facts: JoinFacts;
  readonly said: string;
  readonly cause: unknown;
}

function clusterOf({ cluster }: JoinFacts): string {
  return cluster === undefined ? '' : ` ${cluster.name} (Teleport ${cluster.version})`;
}

function claimsRefused({ cause, facts, said }: Refusal): MachineIdError {
  const { contextIds, organizationId, projectId, tokenName } = facts;
  const contexts =
    contextIds.length === 0 ? 'no context' : `the context${contextIds.length > 1 ? 's' : ''} ${contextIds.join(', ')}`;
  const job = `organization ${organizationId ?? 'unknown'}, project ${projectId ?? 'unknown'}, ${contexts}`;
  const rule = narrowestRule(facts);
  const others = rule === undefined ? [] : alsoAllows(rule);
  return new MachineIdError(
    'JOIN_CLAIMS_REFUSED',
    `join token "${tokenName}"${inCluster(facts)} has no rule that allows this job: ${job} (${said})`,
    {
      likelyCauses: causesOfClaims(facts),
      hint:
        rule === undefined
          ? `Compare the job with "tctl get token/${tokenName}": this job's OIDC token names neither a project nor a context.`
          : `Add to spec.circleci.allow of that token: "- ${formatRule(rule)}". That rule allows ${others.join('; and ')}. Or run this job in the project and context that the token names: "tctl get token/${tokenName} | machine-id explain-token -" shows where they differ.`,
      cause,
    },
  );
}

function inCluster(facts: JoinFacts): string {
  return facts.cluster === undefined ? '' : ` of the cluster${clusterOf(facts)}`;
}

function causesOfClaims({ contextIds, projectId, vcsRef }: JoinFacts): readonly string[] {
  const isFork = /^refs\/heads\/pull\/\d+/.test(vcsRef ?? '');
  const withoutContext = [
    ...(isFork ? ['this job builds a pull request from a fork, which may not get contexts'] : []),
    'this job uses no context, and the rules require one: add "context: NAME" to the job in the workflow',
  ];
  return [
    ...(contextIds.length === 0 ? withoutContext : []),
    `the rules name a project other than ${projectId ?? 'this one'}, or name it as "gh/owner/repository": rules match only ids`,
    ...(contextIds.length === 0
      ? []
      : ['the rules name a context that this job does not use, or name it by something other than its id']),
  ];
}

function tokenUnknown({ cause, facts, said }: Refusal): MachineIdError {
  const { joinMethod, proxy, tokenName } = facts;
  const where = `the cluster${clusterOf(facts)}`;
  return new MachineIdError('JOIN_TOKEN_UNKNOWN', `${where} has no valid join token "${tokenName}": ${said}`, {
    likelyCauses: [
      ...(mayBeScopeQualified(tokenName)
        ? [
            'the name contains "::", so newer clusters read it as <scope>::<name> and look for a scoped join token only, which is not supported: rename the token',
          ]
        : []),
      `the name is wrong: onboarding.token or --token is "${tokenName}"`,
      'the token has expired: one from "tctl tokens add" lasts half an hour, one from a file until metadata.expires',
      `the token was created in a cluster other than the one behind ${proxy}`,
    ],
    hint: `Compare onboarding.token (or --token) with "tctl tokens ls", or create the token: kind token, version v2, join_method ${joinMethod}, roles [Bot] and the name of the bot ("machine-id init" writes its file).`,
    cause,
  });
}

function scoped({ cause, facts, said }: Refusal): MachineIdError {
  return new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    `the cluster${clusterOf(facts)} refused the join with token "${facts.tokenName}" because of scopes, which are not supported: ${said}`,
    { hint: SCOPES_HINT, cause },
  );
}

function otherMethod({ cause, facts, said }: Refusal, text: string): MachineIdError {
  const { tokenName } = facts;
  const [, method] = /only supports method ([\w-]+)|only valid for the ([\w-]+) join method/.exec(text) ?? [];
  const other = method ?? /only valid for the ([\w-]+) join method/.exec(text)?.[1];
  const causes =
    other === undefined
      ? ['spec.roles of the token contains roles other than Bot']
      : [`the token has the join method ${other}, which is for other machines`];
  return new MachineIdError(
    'JOIN_METHOD_MISMATCH',
    `join token "${tokenName}"${inCluster(facts)} is not for a bot that joins with ${facts.joinMethod}: ${said}`,
    {
      likelyCauses: causes,
      hint: otherMethodHint(other, facts),
      cause,
    },
  );
}

/** @param method of the join token; undefined if that is not the problem */
export function otherMethodHint(method: string | undefined, { joinMethod }: Pick<JoinFacts, 'joinMethod'>): string {
  if (method === 'generic_oidc') {
    return 'Set --join-method generic_oidc, and --audience to spec.generic_oidc.audience of that token. Or use a token with the join method circleci.';
  }
  if (method === 'circleci') {
    return 'Set --join-method circleci, and leave --audience out. Or use a token with the join method generic_oidc.';
  }
  return `Set spec.join_method: ${joinMethod}, spec.roles: [Bot] and spec.bot_name in that token, or use another token.`;
}

function otherwiseDenied({ cause, facts, said }: Refusal, text: string): MachineIdError {
  const message = `the cluster${clusterOf(facts)} refused the join with token "${facts.tokenName}": ${said}`;
  if (text.includes('client version is unsupported')) {
    return new MachineIdError('JOIN_DENIED', message, {
      likelyCauses: ['the cluster no longer accepts the client version that this version of the orb reports'],
      hint: 'Pin a newer version of the orb.',
      cause,
    });
  }
  return new MachineIdError('JOIN_DENIED', message, {
    likelyCauses: [
      'the bot, its user or its role is locked or was deleted',
      'the bot that spec.bot_name of the token names does not exist',
      'the cluster has a rule for joins that this program does not know',
    ],
    hint: `Read the token with "tctl get token/${facts.tokenName}", the bots with "tctl get bots", and the audit log of the cluster (event bot.join) for the reason.`,
    cause,
  });
}

function failed({ cause, facts, said }: Refusal): MachineIdError {
  return new MachineIdError('JOIN_FAILED', `the cluster${clusterOf(facts)} failed during the join: ${said}`, {
    likelyCauses: [
      'the Auth Service or its backend was not available, or is being upgraded',
      `a load balancer in front of ${facts.proxy} responded in its place`,
    ],
    hint: 'Run the job again; if the error persists, check the log of the Auth Service at this time.',
    cause,
  });
}
