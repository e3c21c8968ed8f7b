/** The variables that CircleCI itself sets in every job. */

export interface JobFacts {
  readonly job: string;
  readonly workingDirectory: string;
}

/** Sample values for all of them except the OIDC tokens, which only a cluster's issuer can create. */
export function builtInVariables({ job, workingDirectory }: JobFacts): Readonly<Record<string, string>> {
  return {
    CI: 'true',
    CIRCLECI: 'true',
    CIRCLE_BRANCH: 'main',
    CIRCLE_BUILD_NUM: '1',
    CIRCLE_BUILD_URL: 'https://circleci.com/gh/example/project/1',
    CIRCLE_JOB: job,
    CIRCLE_NODE_INDEX: '0',
    CIRCLE_NODE_TOTAL: '1',
    CIRCLE_ORGANIZATION_ID: '00000000-0000-4000-8000-000000000001',
    CIRCLE_PIPELINE_ID: '00000000-0000-4000-8000-000000000002',
    CIRCLE_PROJECT_ID: '00000000-0000-4000-8000-000000000003',
    CIRCLE_PROJECT_REPONAME: 'project',
    CIRCLE_PROJECT_USERNAME: 'example',
    CIRCLE_REPOSITORY_URL: 'https://github.com/example/project',
    CIRCLE_SHA1: '0123456789abcdef0123456789abcdef01234567',
    CIRCLE_USERNAME: 'someone',
    CIRCLE_WORKFLOW_ID: '00000000-0000-4000-8000-000000000004',
    CIRCLE_WORKFLOW_JOB_ID: '00000000-0000-4000-8000-000000000005',
    CIRCLE_WORKING_DIRECTORY: workingDirectory,
  };
}

/**
 * Built-in variables take precedence over contexts and project settings; a given value replaces the sample of a
 * built-in.
 */
export function jobVariables(
  facts: JobFacts,
  given: Readonly<Record<string, string>>,
  jobEnvironment: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return { ...builtInVariables(facts), ...given, ...jobEnvironment };
}
