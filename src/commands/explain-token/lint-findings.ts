/** What lint found in files, and how it is shown as text and as JSON. */
import type { Style } from '../../effects/terminal.ts';
import type { Level, LintFinding } from '../../rules/lint-rule.ts';
import type { Line } from './generic-text.ts';

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

const STYLES = { error: 'failure', warning: 'warning', note: 'dim' } as const satisfies Record<Level, keyof Style>;

/** `warning: token.yaml line 8: any-branch: ...`, and the hint. */
export function findingLines(file: string, finding: LintFinding, style: Style): readonly Line[] {
  const { hint, id, level, line, message } = finding;
  return [
    [style[STYLES[level]](`${level}: `), `${file}${line === undefined ? '' : ` line ${line}`}: ${id}: ${message}`],
    `         ${hint}`,
  ];
}

export function findingJson({ hint, id, level, line, message, path }: LintFinding): unknown {
  return { rule: id, level, path, line, message, hint };
}
