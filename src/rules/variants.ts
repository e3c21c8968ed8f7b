/** Jobs that differ from a job in one respect, to find out what else a token admits. */
import { CONTEXT_IDS, PIPELINE_DEFINITION_ID, PROJECT_ID, SSH_RERUN, VCS_ORIGIN, VCS_REF } from './claim-names.ts';
import type { Claims, Json } from './json.ts';

export type VariantName =
  | 'branch'
  | 'tag'
  | 'fork'
  | 'ssh-rerun'
  | 'context'
  | 'no-context'
  | 'webhook'
  | 'project'
  | 'pipeline-definition'
  | 'user';

export interface Variant {
  readonly name: VariantName;
  /** For a sentence: `jobs on a branch of any other name`. */
  readonly jobs: string;
  readonly claims: Claims;
}

/** Values that no rule names on purpose. */
const OTHER_ID = '0ddba115-0000-4000-8000-00000badc0de';
const OTHER_BRANCH = 'refs/heads/machine-id-probe';
const OTHER_TAG = 'refs/tags/machine-id-probe';
const OTHER_ORIGIN = 'github.com/machine-id-probe/fork';

/** Without those that are the job itself. */
export function variantsOf(job: Claims): readonly Variant[] {
  const own = JSON.stringify(job);
  return allVariants(job).filter(({ claims }) => JSON.stringify(claims) !== own);
}

function allVariants(job: Claims): readonly Variant[] {
  const change = (changes: Readonly<Record<string, Json | undefined>>) => changed(job, changes);
  return [
    { name: 'branch', jobs: 'jobs on a branch of any other name', claims: change({ [VCS_REF]: OTHER_BRANCH }) },
    { name: 'tag', jobs: 'jobs on a tag of any other name', claims: change({ [VCS_REF]: OTHER_TAG }) },
    {
      name: 'fork',
      jobs: 'pull requests from forks, if the project passes secrets to them, also on a branch of the same name',
      claims: change({ [VCS_ORIGIN]: OTHER_ORIGIN }),
    },
    { name: 'ssh-rerun', jobs: 'jobs that are rerun with SSH', claims: change({ [SSH_RERUN]: true }) },
    { name: 'context', jobs: 'jobs with any other context', claims: change({ [CONTEXT_IDS]: [OTHER_ID] }) },
    { name: 'no-context', jobs: 'jobs without a context', claims: change({ [CONTEXT_IDS]: [] }) },
    {
      name: 'webhook',
      jobs: 'jobs of pipelines that a custom webhook triggers, which have no vcs-ref',
      claims: change({ [VCS_ORIGIN]: undefined, [VCS_REF]: undefined }),
    },
    { name: 'project', jobs: 'jobs of every other project', claims: change({ [PROJECT_ID]: OTHER_ID }) },
    {
      name: 'pipeline-definition',
      jobs: 'jobs of every other pipeline definition of the project',
      claims: change({ [PIPELINE_DEFINITION_ID]: OTHER_ID }),
    },
    { name: 'user', jobs: 'jobs that any other user causes to run', claims: withUser(job) },
  ];
}

/** Undefined removes a claim. `sub` repeats some of them. */
function changed(job: Claims, changes: Readonly<Record<string, Json | undefined>>): Claims {
  const claims = { ...job, ...changes };
  const kept = Object.entries(claims).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const result: Claims = Object.fromEntries(kept);
  const { sub } = job;
  return typeof sub === 'string' ? { ...result, sub: subjectFor(sub, result) } : result;
}

/** `org/O/project/P/user/U`, and with `CIRCLE_OIDC_TOKEN_V2` `/vcs-origin/ORIGIN/vcs-ref/REF` after it. */
function subjectFor(subject: string, claims: Claims): string {
  const [, head = '', user = '', rest] =
    /^(org\/[^/]+)\/project\/[^/]+(\/user\/[^/]+)(\/vcs-origin\/.*)?$/.exec(subject) ?? [];
  const project = claims[PROJECT_ID];
  if (head === '' || typeof project !== 'string') return subject;
  const short = `${head}/project/${project}${user}`;
  const { [VCS_ORIGIN]: origin, [VCS_REF]: ref } = claims;
  if (rest === undefined || typeof origin !== 'string' || typeof ref !== 'string') return short;
  return `${short}/vcs-origin/${origin}/vcs-ref/${ref}`;
}

function withUser(job: Claims): Claims {
  const { sub } = job;
  return typeof sub === 'string' ? { ...job, sub: sub.replace(/\/user\/[^/]+/, `/user/${OTHER_ID}`) } : job;
}
