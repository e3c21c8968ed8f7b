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
}

export interface Setup {
  /** `host:port`. */
  readonly proxy: string;
  readonly organizationId: Answer;
  readonly projectId: Answer;
  /** Undefined if the rule allows every job of the project. */
  readonly contextId: Answer | undefined;
  /** Undefined if not given: the OIDC token contains only the IDs of contexts. */
  readonly contextName: string | undefined;
  readonly bot: string;
  readonly token: string;
  readonly roles: readonly string[];
  /** The outputs of `run` for the same flags. */
  readonly outputs: readonly SupportedOutput[];
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
  readonly name: 'bot.yaml' | 'bot-token.yaml' | 'tbot.yaml' | 'circleci-config.yml';
  readonly contents: string;
}
