/** Finds mistakes in join tokens: rules that never match, or that admit more than they seem to. */
import { type MachineIdError, printable } from '../errors.ts';
import { formatPath } from '../schema/yaml/tree.ts';
import { CLAIM_RULES } from './lint-claims.ts';
import { EXPRESSION_RULES } from './lint-expressions.ts';
import type { LintFinding, LintRule } from './lint-rule.ts';
import { TOKEN_RULES } from './lint-token.ts';
import type { JoinToken } from './resource.ts';

/** What the reader of resources reports, so it has no check here. */
const INVALID: LintRule = {
  id: 'invalid-resource',
  level: 'error',
  help: 'Teleport rejects the resource when it is created, or the file cannot be read.',
  check: () => [],
};

/** Each is one declaration. */
export const LINT_RULES: readonly LintRule[] = [INVALID, ...TOKEN_RULES, ...CLAIM_RULES, ...EXPRESSION_RULES];

/** In the order of the file. */
export function lintToken(token: JoinToken): readonly LintFinding[] {
  const findings = LINT_RULES.flatMap(({ check, id, level }) =>
    check(token).map(({ at, hint, level: own = level, message }): LintFinding => {
      const { line } = token.at(...at);
      return { id, level: own, path: formatPath(at), line, message: printable(message), hint: printable(hint) };
    }),
  );
  return [...findings].sort((one, other) => (one.line ?? Infinity) - (other.line ?? Infinity));
}

const CORRECT = 'Correct the file: Teleport rejects the resource when it is created.';

/** The problems of a file that cannot be read, or that Teleport rejects. */
export function invalidFindings(error: MachineIdError): readonly LintFinding[] {
  const { id, level } = INVALID;
  const problems = error.problems.length > 0 ? error.problems : [{ path: 'document', message: error.message }];
  return problems.map(({ hint = CORRECT, line, message, path }) => {
    const text = path === 'document' ? message : `${path}: ${message}`;
    return { id, level, path, line, message: text, hint };
  });
}
