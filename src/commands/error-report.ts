/** How a failure is shown to a person. */
import { type MachineIdError, placeText, printable, printableJson } from '../errors.ts';
import type { Style } from '../effects/style.ts';
import { causes } from '../teleport/network-error.ts';

/** One line for a log collector, with the same facts. */
export function errorLine(
  error: MachineIdError,
  { debug, nowMs }: { readonly debug: boolean; readonly nowMs: number },
): string {
  const { code, message, hint, faults, likelyCauses } = error;
  const stack = debug ? stackOf(error) : [];
  const told = {
    code,
    message,
    hint,
    faults,
    ...(likelyCauses.length === 0 ? {} : { likelyCauses }),
    ...(stack.length === 0 ? {} : { stack }),
  };
  return `${printableJson({ time: new Date(nowMs).toISOString(), level: 'error', ...told })}\n`;
}

export interface ReportOptions {
  readonly debug: boolean;
  readonly style: Style;
}

/** What happened, each fault with its place, what to do next, and the code to look up. */
export function errorReport(error: MachineIdError, { debug, style }: ReportOptions): string {
  const lines = [`${style.bad('error:')} ${error.message}`];
  for (const fault of error.faults) {
    // A message that was written with its faults in it lists them already, in its own way.
    if (error.message.includes(fault.message)) continue;
    lines.push(`  - ${placeText(fault)}: ${fault.message}`);
    if (fault.hint !== undefined) lines.push(`    ${style.strong('hint:')} ${fault.hint}`);
  }
  if (error.likelyCauses.length > 0) {
    lines.push(style.strong('likely causes (most likely first):'));
    lines.push(...error.likelyCauses.map((cause, at) => `  ${at + 1}. ${cause}`));
  }
  lines.push(`${style.strong('hint:')} ${error.hint}`, style.faint(`code: ${error.code}`));
  if (debug) {
    const below = causes(error.cause).map(
      ({ message, name }) => `debug: caused by ${printable(`${classOf(name)}: ${message}`)}`,
    );
    lines.push(...[...below, ...stackOf(error).map((line) => `debug:   ${line}`)].map(style.faint));
  }
  return `${lines.join('\n')}\n`;
}

/** Where a fault of this program arose; other errors say all in their words. */
function stackOf({ cause, code }: MachineIdError): readonly string[] {
  if ((code !== 'INTERNAL' && code !== 'UNCAUGHT') || !(cause instanceof Error)) return [];
  const lines = (cause.stack ?? '').split('\n').map((line) => printable(line.trim()));
  return lines.filter((line) => line.startsWith('at '));
}

/** Some take it from their class, whose name the bundle has shortened. */
function classOf(name: string): string {
  return name.endsWith('Error') ? name : 'Error';
}
