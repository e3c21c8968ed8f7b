/** The form of a lint rule: each is one declaration. */
import type { Path } from '../schema/yaml/tree.ts';
import type { JoinToken } from './resource.ts';

/** An error never does what its author intends; a warning admits more than it seems to; a note is good to know. */
export type Level = 'error' | 'warning' | 'note';

export interface Found {
  readonly at: Path;
  readonly message: string;
  /** What to do, as an imperative. */
  readonly hint: string;
  /** If it differs from that of the rule. */
  readonly level?: Level;
}

export interface LintRule {
  /** Words with hyphens; stable, as reports and configurations refer to it. */
  readonly id: string;
  readonly level: Level;
  /** One sentence for the documents and for reports. */
  readonly help: string;
  readonly check: (token: JoinToken) => readonly Found[];
}

export interface LintFinding extends Pick<LintRule, 'id' | 'level'>, Omit<Found, 'at' | 'level'> {
  readonly path: string;
  readonly line: number | undefined;
}
