/** Proves the generated join token with the evaluator: which jobs it must admit, and which it must reject. */
import {
  CONTEXT_IDS,
  ORG_ID,
  PIPELINE_DEFINITION_ID,
  PROJECT_ID,
  SSH_RERUN,
  VCS_ORIGIN,
  VCS_REF,
} from '../../rules/claim-names.ts';
import { decide } from '../../rules/decide.ts';
import { globMatches } from '../../rules/expression-patterns.ts';
import type { Claims } from '../../rules/json.ts';
import { readResources } from '../../rules/read-resources.ts';
import type { JoinToken } from '../../rules/resource.ts';
import { type Variant, type VariantName, variantsOf } from '../../rules/variants.ts';
import type { Setup, SetupFile } from './setup.ts';

export interface ProvenJob {
  readonly jobs: string;
  readonly admitted: boolean;
}

/**
 * @returns the jobs that were tried
 * @throws Error if the token decides otherwise than the setup says, which is a bug
 */
export function proveRules(setup: Setup, files: readonly SetupFile[]): readonly ProvenJob[] {
  const token = tokenIn(files);
  const expected = [...allowedJobs(setup), ...rejectedJobs(setup)];
  for (const { admitted, claims, jobs } of expected) {
    const decision = decide(token, { source: 'a test', claims }, 0);
    if ((decision.outcome === 'admitted') !== admitted || decision.panics) {
      throw new Error(`the generated token decides otherwise about ${jobs}: ${decision.reason}`);
    }
  }
  return expected.map(({ admitted, jobs }) => ({ jobs, admitted }));
}

function tokenIn(files: readonly SetupFile[]): JoinToken {
  for (const { contents, name } of files) {
    if (name !== 'bot-token.yaml' && name !== 'teleport.tf') continue;
    const token = readResources(contents, name).resources.find((resource) => resource.kind === 'token');
    if (token?.kind === 'token') return token;
  }
  throw new Error('there is no token among the files');
}

interface Case extends ProvenJob {
  readonly claims: Claims;
}

/** One for each branch, tag and context. */
function allowedJobs(setup: Setup): readonly Case[] {
  const refs = setup.generic?.refs ?? [];
  const contexts = setup.contextIds.map(({ text }) => text);
  return [
    ...(refs.length === 0 ? [undefined] : refs).map((ref) => ({ ref, context: contexts[0] })),
    ...contexts.slice(1).map((context) => ({ ref: refs[0], context })),
  ].map(({ context, ref }) => ({
    jobs: `jobs on ${ref ?? 'any branch'} with ${context ?? 'no context'}`,
    admitted: true,
    claims: claimsOf(setup, ref, context),
  }));
}

/** For each respect that the setup restricts. */
function rejectedJobs(setup: Setup): readonly Case[] {
  const [first] = allowedJobs(setup);
  if (first === undefined) return [];
  return variantsOf(first.claims)
    .filter((variant) => isRejected(variant, setup))
    .map(({ claims, jobs }) => ({ jobs, admitted: false, claims }));
}

function isRejected({ claims, name }: Variant, { contextIds, generic }: Setup): boolean {
  const { allowsSshRerun = true, origin, refs = [] } = generic ?? {};
  const restricted: Readonly<Record<VariantName, boolean>> = {
    branch: isOtherRef(claims, refs),
    tag: isOtherRef(claims, refs),
    fork: origin !== undefined,
    'ssh-rerun': !allowsSshRerun,
    context: contextIds.length > 0,
    'no-context': contextIds.length > 0,
    webhook: origin !== undefined || refs.length > 0,
    project: true,
    'pipeline-definition': false,
    user: false,
  };
  return restricted[name];
}

function isOtherRef(claims: Claims, refs: readonly string[]): boolean {
  const ref = claims[VCS_REF];
  return refs.length > 0 && typeof ref === 'string' && !refs.some((pattern) => globMatches(pattern, ref));
}

function claimsOf(setup: Setup, ref: string | undefined, context: string | undefined): Claims {
  const { generic, organizationId, projectId } = setup;
  const origin = generic?.origin?.text ?? 'github.com/example/app';
  return {
    iss: generic?.issuer ?? `https://oidc.circleci.com/org/${organizationId.text}`,
    aud: generic?.audience ?? organizationId.text,
    sub: `org/${organizationId.text}/project/${projectId.text}/user/u`,
    [ORG_ID]: organizationId.text,
    [PROJECT_ID]: projectId.text,
    [CONTEXT_IDS]: context === undefined ? [] : [context],
    [PIPELINE_DEFINITION_ID]: 'd',
    [SSH_RERUN]: false,
    [VCS_ORIGIN]: origin,
    [VCS_REF]: (ref ?? 'refs/heads/main').replaceAll('*', 'x'),
  };
}
