/** The facts of a join, none of them secret, and the rules that allow a job. */
import type { OidcClaims } from '../job/oidc-claims.ts';
import type { JoinMethod, TokenRequest } from '../job/token-request.ts';

export interface JoinFacts {
  readonly tokenName: string;
  readonly joinMethod: JoinMethod;
  /** `host:port`, as it was given. */
  readonly proxy: string;
  readonly organizationId: string | undefined;
  readonly projectId: string | undefined;
  readonly contextIds: readonly string[];
  readonly audiences: readonly string[];
  /** For example `refs/heads/main`. */
  readonly vcsRef: string | undefined;
  /** Milliseconds since the Unix epoch; the last is this machine's clock when it looked at the token. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly checkedAtMs: number;
  /** All of them, to explain a refusal without a reason. */
  readonly claims?: OidcClaims | undefined;
  /** Undefined until discovery has ended. */
  readonly cluster?: { readonly name: string; readonly version: string } | undefined;
}

interface PlannedJoin {
  readonly token: string;
  readonly address: { readonly value: string };
  readonly tokenRequest: TokenRequest;
}

/** @param checkedAtMs when this machine looked at the OIDC token */
export function joinFacts(
  { address, token: tokenName, tokenRequest: { joinMethod } }: PlannedJoin,
  claims: OidcClaims,
  checkedAtMs: number,
): JoinFacts {
  return { ...claims, claims, tokenName, joinMethod, proxy: address.value, checkedAtMs };
}

// The rules of a join token for CircleCI, which Teleport compares with a job's claims (protocol reference 2.5).

/** At least one of the two is set; each one that is set must match. */
export interface AllowRule {
  readonly projectId: string | undefined;
  readonly contextId: string | undefined;
}

/** The claims that rules are compared with. */
export interface RuleClaims {
  readonly projectId: string | undefined;
  readonly contextIds: readonly string[];
}

export interface RuleDifference {
  /** As the token's file names it. */
  readonly field: 'project_id' | 'context_id';
  readonly expected: string;
  /** None, or those of the job. */
  readonly actual: readonly string[];
}

/** Where the job differs from the rule; empty if the rule allows it. */
export function ruleDifferences(rule: AllowRule, { contextIds, projectId }: RuleClaims): readonly RuleDifference[] {
  const differences: RuleDifference[] = [];
  if (rule.projectId !== undefined && rule.projectId !== projectId) {
    differences.push({
      field: 'project_id',
      expected: rule.projectId,
      actual: projectId === undefined ? [] : [projectId],
    });
  }
  if (rule.contextId !== undefined && !contextIds.includes(rule.contextId)) {
    differences.push({ field: 'context_id', expected: rule.contextId, actual: contextIds });
  }
  return differences;
}

/** The narrowest rule that allows the job; undefined if the job has no ids. */
export function narrowestRule({ contextIds: [contextId], projectId }: RuleClaims): AllowRule | undefined {
  return projectId === undefined && contextId === undefined ? undefined : { projectId, contextId };
}

/** As a YAML flow mapping, which can follow the dash of a list item. */
export function formatRule({ contextId, projectId }: AllowRule): string {
  const fields = [
    ...(projectId === undefined ? [] : [`project_id: ${projectId}`]),
    ...(contextId === undefined ? [] : [`context_id: ${contextId}`]),
  ];
  return `{${fields.join(', ')}}`;
}

/** What a rule allows besides the job that it was made for. */
export function alsoAllows({ contextId, projectId }: AllowRule): readonly string[] {
  const jobs =
    projectId === undefined
      ? 'every job of every project that may use that context'
      : contextId === undefined
        ? 'every job of that project, with any context or none'
        : 'every job of that project that uses that context';
  return [`${jobs}, on every branch and tag`, 'pull requests from forks too, if the project passes secrets to them'];
}
