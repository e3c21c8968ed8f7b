/** Refuses the outputs of a plan that this version cannot write. */
import { MachineIdError } from '../errors.ts';
import type { Output } from './output.ts';
import type { Plan } from './plan.ts';

/** Throws `OUTPUT_UNSUPPORTED` with every output of the plan that cannot be written yet. */
export function refuseUnsupportedOutputs(plan: Pick<Plan, 'outputs'>): void {
  const faults = plan.outputs.flatMap((output) => {
    const reason = unsupported(output);
    if (reason === undefined) return [];
    return [{ path: output.path, ...(output.line === undefined ? {} : { line: output.line }), message: reason }];
  });
  if (faults.length === 0) return;
  const lines = faults.map(
    ({ path, line, message }) => `${path}${line === undefined ? '' : ` (line ${line})`}: ${message}`,
  );
  throw new MachineIdError('OUTPUT_UNSUPPORTED', lines.join('\n'), {
    hint: 'Remove these outputs, or write them with tbot until a later version of this orb does.',
    faults,
  });
}

/** Why `output` cannot be written, or `undefined` when it can. */
function unsupported(output: Output): string | undefined {
  if (output.type !== 'identity') return `output type "${output.type}" is not supported yet by this version`;
  if (output.destination.type === 'kubernetes_secret') {
    return 'destination type "kubernetes_secret" is not supported yet by this version';
  }
  if (output.delegationSessionId !== undefined) return 'delegation_session_id is not supported yet by this version';
  return undefined;
}
