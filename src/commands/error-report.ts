/** How a failure is shown to a person. */
import { type Fault, type MachineIdError, printable } from '../errors.ts';
import type { Style } from '../effects/style.ts';
import { causes } from '../teleport/network-error.ts';

/** One line for a log collector, with the same facts. */
export function errorLine(error: MachineIdError, nowMs: number): string {
  const { code, message, hint, faults } = error;
  return `${JSON.stringify({ time: new Date(nowMs).toISOString(), level: 'error', code, message, hint, faults })}\n`;
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
    if (!error.message.includes(fault.message)) lines.push(`  - ${faultLine(fault)}`);
  }
  lines.push(`${style.strong('hint:')} ${error.hint}`, style.faint(`code: ${error.code}`));
  if (debug) {
    const below = causes(error.cause).map(
      ({ message, name }) => `debug: caused by ${printable(`${name}: ${message}`)}`,
    );
    lines.push(...below.map(style.faint));
  }
  return `${lines.join('\n')}\n`;
}

function faultLine({ path, line, message }: Fault): string {
  return `${path}${line === undefined ? '' : ` (line ${line})`}: ${message}`;
}
