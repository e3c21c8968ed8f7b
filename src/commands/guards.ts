/**
 * Guards: what a job must be, and which cluster and bot it must get, according to its own configuration. Each is checked as
 * soon as its facts are known, and before anything is written.
 */
import type { Plan } from '../config/plan.ts';
import { SETTINGS } from '../config/settings.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, pluralize, type Problem } from '../errors.ts';
import { forkSign } from '../job/fork.ts';
import { claimOfRerun, type OidcClaims } from '../job/oidc-claims.ts';

type Guards = Pick<Plan, 'settings'>;

/** tbot joins and writes in one go. @throws MachineIdError USAGE_INVALID */
export function refuseGuardOfBot({ settings: { expectBot } }: Guards): void {
  if (expectBot === undefined) return;
  throw new MachineIdError('USAGE_INVALID', '--expect-bot cannot be combined with --engine tbot', {
    hint: 'tbot writes its files before anything can ask which bot it is. Leave out one of the two.',
  });
}

/** Before anything is contacted. @throws MachineIdError GUARD_REFUSED with every guard that refuses */
export function guardJob({ settings }: Guards, claims: OidcClaims, { environment }: Pick<World, 'environment'>): void {
  const { expectProject: expected, refuseFork, refuseSshRerun } = settings;
  const { projectId = 'not in the OIDC token' } = claims;
  const rerun = claimOfRerun(claims);
  const fork = forkSign(claims, environment);
  refuse([
    ...(expected === undefined || projectId.toLowerCase() === expected.toLowerCase()
      ? []
      : [refusedBy('expectProject', `expected project ${expected}, got ${projectId}`)]),
    ...(refuseSshRerun !== true || rerun === false ? [] : [refusedBy('refuseSshRerun', RERUNS[`${rerun}`])]),
    ...(refuseFork !== true || fork === undefined
      ? []
      : [refusedBy('refuseFork', `this job builds a pull request from a fork: ${fork}`)]),
  ]);
}

const RERUNS = {
  true: 'this job was rerun with SSH, so a person can use its credentials',
  undefined: 'the OIDC token does not say whether this job was rerun with SSH (it has no claim ssh-rerun)',
} as const;

/** Whether the cluster's answers decide about a guard. */
export function hasGuardOfCluster({ settings: { expectBot, expectCluster } }: Guards): boolean {
  return expectBot !== undefined || expectCluster !== undefined;
}

/** Before the join. @throws MachineIdError GUARD_REFUSED */
export function guardCluster({ settings: { expectCluster: expected } }: Guards, clusterName: string): void {
  if (expected === undefined || expected === clusterName) return;
  refuse([refusedBy('expectCluster', `expected cluster ${expected}, got ${clusterName}`)]);
}

/** After the join. @throws MachineIdError GUARD_REFUSED */
export function guardBot({ settings: { expectBot: expected } }: Guards, botName: string): void {
  if (expected === undefined || expected === botName) return;
  refuse([refusedBy('expectBot', `the join token is for another bot: expected ${expected}, got ${botName}`)]);
}

type GuardName = 'expectBot' | 'expectCluster' | 'expectProject' | 'refuseFork' | 'refuseSshRerun';

function refusedBy(name: GuardName, message: string): Problem {
  return { path: `--${SETTINGS[name].flag}`, message };
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  throw new MachineIdError('GUARD_REFUSED', `${pluralize(problems.length, 'guard')} refused this job`, {
    hint: 'No credentials were written. Run this job where its guards allow it, or change them if they are wrong.',
    problems,
  });
}
