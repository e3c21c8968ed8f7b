/** Insists on one SVID: an output of one holds no more. */
import type { Named } from '../certs/workload-api.ts';
import { describeSelector, type WorkloadSelector } from '../certs/workload-selector.ts';
import { MachineIdError } from '../errors.ts';

/**
 * @param place as in `outputs[0]`
 * @throws MachineIdError RESOURCE_UNKNOWN
 */
export function onlySvid<T extends object>(svids: readonly Named<T>[], selector: WorkloadSelector, place: string): T {
  const [svid, ...others] = svids;
  const wanted = describeSelector(selector);
  if (svid === undefined) {
    throw new MachineIdError('RESOURCE_UNKNOWN', `${place}.selector: there is no ${wanted} that the output may use`, {
      hint: 'Compare the labels with those of "tctl get workload_identity", and with workload_identity_labels of the roles.',
    });
  }
  if (others.length === 0) return svid;
  const names = svids.map(({ name }) => name).join(', ');
  throw new MachineIdError('RESOURCE_UNKNOWN', `${place}.selector: more than one ${wanted}: ${names}`, {
    hint: 'Select one of them by its name, or by more labels; each further one needs an output of its own.',
  });
}
