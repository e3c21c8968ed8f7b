/** `explain-token --lint`: finds mistakes in the join tokens of files, without a job. */
import type { GivenFlags } from '../../cli/flags.ts';
import { type Style, styleFor } from '../../effects/terminal.ts';
import { VERSION, type World } from '../../effects/world.ts';
import { MachineIdError, pluralize, printable, printableJson } from '../../errors.ts';
import { invalidFindings, LINT_RULES, lintToken } from '../../rules/lint.ts';
import type { Level, LintFinding } from '../../rules/lint-rule.ts';
import { type ReadResources, readResources } from '../../rules/read-resources.ts';
import type { Resource } from '../../rules/resource.ts';
import { closestMatch } from '../../schema/values.ts';
import { junitXml, type TestCase } from '../doctor/junit.ts';
import { writeReportFile } from '../report-file.ts';
import { findingJson, findingLines, type LintedFile } from './lint-findings.ts';
import { nameOfInput, readTokenFile } from './read-token-file.ts';
import { sarif } from './sarif.ts';

/** @throws MachineIdError USAGE_INVALID, CONFIG_UNREADABLE, DESTINATION_UNWRITABLE, TOKEN_LINT_FAILED */
export async function lintFiles(paths: readonly string[], given: GivenFlags, world: World): Promise<void> {
  const ignored = ignoredRules(given);
  const files: LintedFile[] = [];
  for (const path of paths) files.push(lintedFile(await readTokenFile(path, world), nameOfInput(path), ignored));
  await writeReports(files, given, world);
  await (given.has('json')
    ? world.result(`${printableJson(lintJson(files))}\n`)
    : world.stdout(lintText(files, styleFor(world.stdoutIsTerminal, world.environment))));
  const { error, warning } = counts(files);
  if (error + warning === 0) return;
  throw new MachineIdError(
    'TOKEN_LINT_FAILED',
    `lint found ${pluralize(error, 'error')} and ${pluralize(warning, 'warning')}`,
    { hint: 'Follow the hint below each of them, or pass --ignore RULE if a rule does not apply to these tokens.' },
  );
}

async function writeReports(files: readonly LintedFile[], given: GivenFlags, world: World): Promise<void> {
  const reports = { sarif: () => sarif(files, VERSION), junit: () => junit(files) };
  for (const [name, render] of Object.entries(reports)) {
    const path = given.get(name)?.[0];
    if (path !== undefined) await writeReportFile({ flag: `--${name}`, given: path, text: render() }, world);
  }
}

function ignoredRules(given: GivenFlags): ReadonlySet<string> {
  const known = LINT_RULES.map(({ id }) => id);
  const ignored = (given.get('ignore') ?? []).flatMap((text) => text.split(/[,\s]+/)).filter((id) => id !== '');
  const problems = ignored
    .filter((id) => !known.includes(id))
    .map((id) => {
      const near = closestMatch(id, known);
      return {
        path: '--ignore',
        message: `${JSON.stringify(id)} is not a rule${near === undefined ? '' : `; did you mean ${near}?`}`,
      };
    });
  if (problems.length === 0) return new Set(ignored);
  throw new MachineIdError('USAGE_INVALID', 'the command line is invalid', {
    hint: `The rules are ${known.join(', ')}.`,
    problems,
  });
}

function lintedFile(text: string, name: string, ignored: ReadonlySet<string>): LintedFile {
  const kept = (findings: readonly LintFinding[]) => findings.filter(({ id }) => !ignored.has(id));
  let read: ReadResources;
  try {
    read = readResources(text, name);
  } catch (error) {
    if (!(error instanceof MachineIdError)) throw error;
    return { name, tokens: [], findings: kept(invalidFindings(error)) };
  }
  const tokens = read.resources.filter(isBotToken).map((token) => ({
    name: token.name,
    joinMethod: token.joinMethod,
    findings: kept(lintToken(token)),
  }));
  return { name, tokens, findings: [] };
}

/** Tokens of agents are another matter. */
function isBotToken(resource: Resource): resource is Extract<Resource, { readonly kind: 'token' }> {
  return resource.kind === 'token' && resource.roles.includes('Bot');
}

function allFindings({ findings, tokens }: LintedFile): readonly LintFinding[] {
  return [...findings, ...tokens.flatMap((token) => token.findings)];
}

function counts(files: readonly LintedFile[]): Readonly<Record<Level, number>> {
  const all = files.flatMap(allFindings);
  const count = (level: Level) => all.filter((finding) => finding.level === level).length;
  return { error: count('error'), warning: count('warning'), note: count('note') };
}

function lintText(files: readonly LintedFile[], style: Style): string {
  const lines = files.flatMap((file) =>
    allFindings(file).flatMap((finding) => findingLines(file.name, finding, style)),
  );
  const texts = lines.map((line) => (typeof line === 'string' ? printable(line) : line[0] + printable(line[1])));
  const { error, note, warning } = counts(files);
  const tokens = files.reduce((sum, file) => sum + file.tokens.length, 0);
  const total = `${pluralize(tokens, 'token')} for bots in ${pluralize(files.length, 'file')}: ${pluralize(error, 'error')}, ${pluralize(warning, 'warning')}, ${pluralize(note, 'note')}`;
  return [...texts, ...(texts.length === 0 ? [] : ['']), total, ''].join('\n');
}

function lintJson(files: readonly LintedFile[]): unknown {
  const { error, note, warning } = counts(files);
  return {
    errors: error,
    warnings: warning,
    notes: note,
    files: files.map(({ findings, name, tokens }) => ({
      file: name,
      findings: findings.map(findingJson),
      tokens: tokens.map((token) => ({
        name: token.name,
        join_method: token.joinMethod,
        findings: token.findings.map(findingJson),
      })),
    })),
  };
}

/** One test case for each token, and for each file that cannot be read. */
function junit(files: readonly LintedFile[]): string {
  const cases = files.flatMap(({ findings, name, tokens }) => [
    ...(findings.length === 0 ? [] : [testCase(name, findings)]),
    ...tokens.map((token) => testCase(`${name}: token ${token.name}`, token.findings)),
  ]);
  return junitXml('teleport/machine-id explain-token', cases);
}

function testCase(name: string, findings: readonly LintFinding[]): TestCase {
  const failing = findings.filter(({ level }) => level !== 'note');
  const lines = (failing.length === 0 ? findings : failing).map(
    ({ hint, id, level, line, message }) =>
      `${line === undefined ? '' : `line ${line}: `}${level} ${id}: ${message}. ${hint}`,
  );
  return { name, state: failing.length === 0 ? 'pass' : 'fail', detail: lines.join('\n') || 'nothing found' };
}
