/** Reads flags, environment and tbot.yaml into the plan of one run. */
import { MachineIdError } from '../errors.ts';
import type { RunFlags } from './flags.ts';
import type { Plan } from './plan.ts';

export interface PlanInputs {
  readonly flags: RunFlags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The text of a file; rejects when it cannot be read. */
  readonly readFile: (path: string) => Promise<string>;
}

/**
 * The plan, or a `MachineIdError`: `CONFIG_UNREADABLE` when the file is missing, `CONFIG_INVALID` with every fault of
 * file, environment and flags together. Reads a file only when `--config` or `TBOT_CONFIG_PATH` names it.
 */
export function loadPlan(inputs: PlanInputs): Promise<Plan> {
  return Promise.reject(
    new MachineIdError('INTERNAL', `no plan from ${Object.keys(inputs).join(', ')} yet`, { hint: 'Wait.' }),
  );
}
