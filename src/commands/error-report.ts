/** How a failure is shown to a person. */
import { type Fault, MachineIdError } from '../errors.ts';
import { causes } from '../teleport/network-error.ts';

/** What happened, each fault with its place, what to do next, and the code to look up. */
export function errorReport(error: MachineIdError, options: { readonly debug: boolean }): string {
  const lines = [`error: ${error.message}`];
  for (const fault of error.faults) {
    // A message that was written with its faults in it lists them already, in its own way.
    if (!error.message.includes(fault.message)) lines.push(`  - ${faultLine(fault)}`);
  }
  lines.push(`hint: ${error.hint}`, `code: ${error.code}`);
  if (options.debug) {
    for (const cause of causes(error.cause)) lines.push(`debug: caused by ${cause.name}: ${cause.message}`);
  }
  return `${lines.join('\n')}\n`;
}

/** An error of any other kind is a fault of this program. */
export function asMachineIdError(error: unknown): MachineIdError {
  if (error instanceof MachineIdError) return error;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new MachineIdError('INTERNAL', `this should not have happened: ${message}`, {
    hint: 'Please report it with the version of this program and the lines above.',
    cause: error,
  });
}

function faultLine({ path, line, message }: Fault): string {
  return `${path}${line === undefined ? '' : ` (line ${line})`}: ${message}`;
}
