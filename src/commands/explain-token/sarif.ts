/** Findings of lint as SARIF 2.1.0 (OASIS), which code hosts show next to the lines. */
import { LINT_RULES } from '../../rules/lint.ts';
import type { LintFinding } from '../../rules/lint-rule.ts';
import type { LintedFile } from './lint-findings.ts';

export function sarif(files: readonly LintedFile[], version: string): string {
  const results = files.flatMap(({ findings, name, tokens }) =>
    [...findings, ...tokens.flatMap((token) => token.findings)].map((finding) => result(finding, name)),
  );
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: driver(version) }, columnKind: 'utf16CodeUnits', results }],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function driver(version: string): unknown {
  return {
    name: 'machine-id explain-token',
    version,
    rules: LINT_RULES.map(({ help, id, level }) => ({
      id,
      shortDescription: { text: help },
      defaultConfiguration: { level },
    })),
  };
}

function result({ hint, id, level, line = 1, message }: LintFinding, file: string): unknown {
  return {
    ruleId: id,
    ruleIndex: LINT_RULES.findIndex((rule) => rule.id === id),
    level,
    message: { text: `${message}. ${hint}` },
    locations: [{ physicalLocation: { artifactLocation: { uri: uriOf(file) }, region: { startLine: line } } }],
  };
}

/** A relative reference, with `/` between its parts; `file:` for an absolute path. */
function uriOf(path: string): string {
  const encoded = path.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/');
  return encoded.startsWith('/') ? `file://${encoded}` : encoded.replace(/^(?:\.\/)+/, '');
}
