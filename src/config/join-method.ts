/** Join methods: Teleport has many, a CircleCI job has one. */
import { nearest } from './nearest.ts';

const OTHER_METHODS: readonly string[] = [
  'azure',
  'azure_devops',
  'bitbucket',
  'bound_keypair',
  'env0',
  'gcp',
  'generic_oidc',
  'github',
  'gitlab',
  'iam',
  'kubernetes',
  'oracle',
  'spacelift',
  'terraform_cloud',
  'token',
  'tpm',
];

/** What is wrong with `method`, or `undefined` when it is `circleci`. */
export function refuseJoinMethod(method: string): string | undefined {
  if (method === 'circleci') return undefined;
  if (OTHER_METHODS.includes(method)) {
    return `join method "${method}" is not for a CircleCI job; this orb joins with join_method: circleci only`;
  }
  const meant = nearest(method, ['circleci', ...OTHER_METHODS]);
  return `unrecognized join method: "${method}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
}
