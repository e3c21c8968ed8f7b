/** Refuses credentials that are not what was asked for. */
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../teleport/trace-error.ts';

/**
 * @param what was asked for: `the host certificate`
 * @param detail may quote what came
 */
export function credentialMismatch(what: string, detail: string): MachineIdError {
  return new MachineIdError('CERTIFICATE_MISMATCH', `what came back as ${what} was not accepted: ${oneLine(detail)}`, {
    hint: 'Check the clock of this runner and what lies between this job and the cluster; the credentials of this answer were thrown away.',
  });
}
