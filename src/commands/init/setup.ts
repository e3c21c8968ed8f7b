/** What `init` collects, unchecked (`Answers`), and what it generates files from, checked (`Setup`). */
import type { SupportedOutput } from '../../outputs/outputs.ts';
import type { FieldName } from './fields.ts';

export interface Answer {
  readonly text: string;
  /** Where it comes from: `--project-id`, `CIRCLE_OIDC_TOKEN` or `an answer`. */
  readonly origin: string;
}

export interface Answers {
  readonly fields: ReadonlyMap<FieldName, Answer>;
  /** Whether the rule matches only the project. */
  readonly withoutContext: boolean;
  /** The contexts of this job, if there are several and none was chosen. */
  readonly contexts: readonly string[];
  /** Whether to write an identity in addition to the other outputs. */
  readonly ssh: boolean;
  /** Undefined if the other answers decide. */
  readonly joinMethod: JoinMethod | undefined;
  readonly form: Form;
  readonly allowsForks: boolean;
  readonly allowsSshRerun: boolean;
}

export type JoinMethod = 'circleci' | 'generic_oidc';

/** How the bot and the token will be applied: `tctl create`, Terraform's provider, or Teleport's Kubernetes operator. */
export const FORMS = ['tctl', 'terraform', 'operator'] as const;
export type Form = (typeof FORMS)[number];

/** `generic_oidc` if an answer needs it and none says otherwise. */
export function methodOf({ fields, joinMethod }: Pick<Answers, 'fields' | 'joinMethod'>): JoinMethod {
  const needsGeneric = (['branches', 'tags', 'issuer'] as const).some((name) => fields.has(name));
  return joinMethod ?? (needsGeneric ? 'generic_oidc' : 'circleci');
}

export interface Setup {
  /** `host:port`. */
  readonly proxy: string;
  readonly organizationId: Answer;
  readonly projectId: Answer;
  /** The job needs one of them; none if the rule does not compare contexts. */
  readonly contextIds: readonly Answer[];
  /** Undefined if not given: the OIDC token contains only the IDs of contexts. */
  readonly contextName: string | undefined;
  readonly bot: string;
  readonly token: string;
  readonly roles: readonly string[];
  /** The outputs of `run` for the same flags. */
  readonly outputs: readonly SupportedOutput[];
  readonly form: Form;
  /** Undefined for the join method circleci. */
  readonly generic: GenericRule | undefined;
}

/** What only `generic_oidc` compares. */
export interface GenericRule {
  readonly issuer: string;
  readonly audience: string;
  /** As `refs/heads/main`, `*` for any text; none if every branch and tag is allowed. */
  readonly refs: readonly string[];
  /** As `github.com/example/app`; undefined if forks are allowed. */
  readonly origin: Answer | undefined;
  readonly allowsSshRerun: boolean;
}

/** Directories of the files, each with a slash at the end, or empty. */
export interface SetupLocation {
  /** From the working directory, or absolute; for commands to paste. */
  readonly pathFromHere: string;
  /** From the root of the repository; for the config. */
  readonly pathInRepository: string;
  /** The version of the orb. */
  readonly version: string;
}

export interface SetupFile {
  readonly name: 'bot.yaml' | 'bot-token.yaml' | 'teleport.tf' | 'resources.yaml' | 'tbot.yaml' | 'circleci-config.yml';
  readonly contents: string;
}
