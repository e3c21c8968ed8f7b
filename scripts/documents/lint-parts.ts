/** The table of docs/reference/token-lint.md, from the declarations of the rules. */
import { LINT_RULES } from '../../src/rules/lint.ts';
import { code, markdownTable, prose } from './markdown.ts';
import type { Parts } from './regions.ts';

export function lintParts(): Parts {
  const rows = LINT_RULES.map(({ help, id, level }) => [code(id), level, prose(help)]);
  return new Map([['lint rules', markdownTable(['Rule', 'Level', 'What it finds'], rows)]]);
}
