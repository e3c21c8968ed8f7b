/** The rules of a generic_oidc token and what they say about a job, claim by claim. */
import type { Style } from '../../effects/terminal.ts';
import { closeness, type Outcome, type RuleVerdict } from '../../rules/verdict.ts';

/** A line, or a styled prefix and the text after it, which may contain input and is made printable. */
export type Line = string | readonly [styled: string, text: string];

export function genericRuleLines(verdicts: readonly RuleVerdict[], style: Style): readonly Line[] {
  return verdicts.flatMap(({ checks, line, outcome, path }): readonly Line[] => [
    [`  ${mark(outcome, style)}  `, `${line === undefined ? '' : `line ${line}: `}${path} (${closeness(checks)})`],
    ...checks.flatMap((check): readonly Line[] => [
      [`       ${mark(check.outcome, style)}  `, check.expected],
      ...(check.actual === '' ? [] : [`            ${check.actual}`]),
    ]),
  ]);
}

function mark(outcome: Outcome, style: Style): string {
  switch (outcome) {
    case 'matches':
      return style.success('yes');
    case 'differs':
      return style.failure('no ');
    case 'fails':
    case 'panics':
      return style.failure('err');
    case 'unknown':
      return style.warning('?  ');
    default:
      return outcome satisfies never;
  }
}
