/** The SLSA provenance of a build on CircleCI (slsa.dev/provenance/v1). */

type Environment = Readonly<Record<string, string | undefined>>;

/** @param commit the full hash of the commit */
export function provenance(environment: Environment, commit: string): object {
  const { CIRCLE_BUILD_URL: build = '', CIRCLE_REPOSITORY_URL: repository = '', CIRCLE_TAG: tag = '' } = environment;
  return {
    buildDefinition: {
      buildType: 'https://circleci.com/docs/configuration-reference/',
      externalParameters: { repository, ref: tag === '' ? commit : `refs/tags/${tag}` },
      resolvedDependencies: [{ uri: `git+${repository}`, digest: { gitCommit: commit } }],
    },
    runDetails: { builder: { id: 'https://circleci.com' }, metadata: { invocationId: build } },
  };
}
