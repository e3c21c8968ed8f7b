/** What somebody has said about the set-up, not yet checked, and who it was. */

export interface Answer {
  readonly text: string;
  /** `--project-id`, `CIRCLE_OIDC_TOKEN`, `an answer`. */
  readonly origin: string;
}

export type FieldName =
  | 'proxy'
  | 'organizationId'
  | 'projectId'
  | 'contextId'
  | 'contextName'
  | 'bot'
  | 'token'
  | 'roles'
  | 'kubernetesCluster'
  | 'database'
  | 'databaseUser'
  | 'databaseName'
  | 'application'
  | 'destination';

export interface Answers {
  readonly fields: ReadonlyMap<FieldName, Answer>;
  /** The rule shall name the project alone. */
  readonly withoutContext: boolean;
  /** Those of this job, when nobody has said which of several is meant. */
  readonly contexts: readonly string[];
  /** An identity beside what the other outputs ask for. */
  readonly ssh: boolean;
}
