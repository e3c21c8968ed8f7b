/** How a failure is shown to a person. */
import { type Fault, type MachineIdError, printable } from '../errors.ts';
import { causes } from '../teleport/network-error.ts';

/** One line for a log collector, with the same facts. */
export function errorLine(error: MachineIdError, nowMs: number): string {
  const { code, message, hint, faults } = error;
  return `${JSON.stringify({ time: new Date(nowMs).toISOString(), level: 'error', code, message, hint, faults })}\n`;
}

/** What happened, each fault with its place, what to do next, and the code to look up. */
export function errorReport(error: MachineIdError, options: { readonly debug: boolean }): string {
  const lines = [`error: ${error.message}`];
  for (const fault of error.faults) {
    // A message that was written with its faults in it lists them already, in its own way.
    if (!error.message.includes(fault.message)) lines.push(`  - ${faultLine(fault)}`);
  }
  lines.push(`hint: ${error.hint}`, `code: ${error.code}`);
  if (options.debug) {
    for (const cause of causes(error.cause))
      lines.push(`debug: caused by ${printable(`${cause.name}: ${cause.message}`)}`);
  }
  return `${lines.join('\n')}\n`;
}

function faultLine({ path, line, message }: Fault): string {
  return `${path}${line === undefined ? '' : ` (line ${line})`}: ${message}`;
}
