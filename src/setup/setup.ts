/** What the files of a set-up are made from, checked. */
import type { SupportedOutput } from '../config/supported.ts';
import type { Answer } from './answer.ts';

export interface Setup {
  /** `host:port`. */
  readonly proxy: string;
  readonly organizationId: Answer;
  readonly projectId: Answer;
  /** Without it the rule admits every job of the project. */
  readonly contextId: Answer | undefined;
  /** As CircleCI's pages show it, when somebody has said it: the OIDC token names contexts by their ids alone. */
  readonly contextName: string | undefined;
  readonly bot: string;
  readonly token: string;
  readonly roles: readonly string[];
  /** As `run` reads them from the flags of the same names. */
  readonly outputs: readonly SupportedOutput[];
}

/** Where the files are for those who read them. */
export interface SetupPlace {
  /** Where they are now, for commands to paste, with a slash at the end: `teleport/`. */
  readonly written: string;
  /** Where they will be in the repository, in the same form. */
  readonly folder: string;
  /** Of the orb. */
  readonly version: string;
}

export interface SetupFile {
  readonly name: 'bot.yaml' | 'bot-token.yaml' | 'tbot.yaml' | 'circleci-config.yml';
  readonly contents: string;
}
