/** What lint found in one file. */
import type { LintFinding } from '../../rules/lint-rule.ts';

export interface LintedFile {
  /** As given, or `standard input`. */
  readonly name: string;
  readonly tokens: readonly LintedToken[];
  /** About the file as a whole. */
  readonly findings: readonly LintFinding[];
}

export interface LintedToken {
  readonly name: string;
  readonly joinMethod: string;
  readonly findings: readonly LintFinding[];
}
