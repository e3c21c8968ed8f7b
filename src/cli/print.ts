/** Prints a failure: as a report for people, or as one line of JSON. */
import { type Style, styleFor } from '../effects/terminal.ts';
import type { World } from '../effects/world.ts';
import { locationText, type MachineIdError, printable, printableJson } from '../errors.ts';
import { causes } from '../net/network-error.ts';

interface ReportOptions {
  readonly debug: boolean;
  readonly style: Style;
}

/** What happened, each problem with its place, what to do next, and the code to look up. */
export function errorReport(error: MachineIdError, { debug, style }: ReportOptions): string {
  const lines = [`${style.failure('error:')} ${error.message}`];
  for (const problem of error.problems) {
    // Some messages already contain their problems.
    if (error.message.includes(problem.message)) continue;
    lines.push(`  - ${locationText(problem)}: ${problem.message}`);
    if (problem.hint !== undefined) lines.push(`    ${style.bold('hint:')} ${problem.hint}`);
  }
  if (error.likelyCauses.length > 0) {
    lines.push(style.bold('likely causes (most likely first):'));
    lines.push(...error.likelyCauses.map((cause, at) => `  ${at + 1}. ${cause}`));
  }
  lines.push(`${style.bold('hint:')} ${error.hint}`, style.dim(`code: ${error.code}`));
  if (debug) {
    const below = causes(error.cause).map(
      ({ message, name }) => `debug: caused by ${printable(`${classOf(name)}: ${message}`)}`,
    );
    lines.push(...[...below, ...stackOf(error).map((line) => `debug:   ${line}`)].map(style.dim));
  }
  return `${lines.join('\n')}\n`;
}

/** One line for a log collector, with the same facts. */
export function errorLine(
  error: MachineIdError,
  { debug, nowMs }: { readonly debug: boolean; readonly nowMs: number },
): string {
  const { code, message, hint, problems, likelyCauses } = error;
  const stack = debug ? stackOf(error) : [];
  const facts = {
    code,
    message,
    hint,
    problems,
    ...(likelyCauses.length === 0 ? {} : { likelyCauses }),
    ...(stack.length === 0 ? {} : { stack }),
  };
  return `${printableJson({ time: new Date(nowMs).toISOString(), level: 'error', ...facts })}\n`;
}

/** Where a bug of this program occurred; other errors are explained by their message. */
function stackOf({ cause, code }: MachineIdError): readonly string[] {
  if ((code !== 'INTERNAL' && code !== 'UNCAUGHT') || !(cause instanceof Error)) return [];
  const lines = (cause.stack ?? '').split('\n').map((line) => printable(line.trim()));
  return lines.filter((line) => line.startsWith('at '));
}

/** Some errors take their name from their class, which the bundle shortens. */
function classOf(name: string): string {
  return name.endsWith('Error') ? name : 'Error';
}

export function stderrStyle({ environment, stderrIsTerminal }: Pick<World, 'environment' | 'stderrIsTerminal'>): Style {
  return styleFor(stderrIsTerminal, environment);
}

// Rows in columns.

/** Lines with printable cells: each column as wide as its longest cell, two spaces between columns, none at the end. */
export function table(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
