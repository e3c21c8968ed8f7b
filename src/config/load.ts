/** Reads flags, environment and tbot.yaml into the plan of one run. */
import { assemblePlan } from './assemble.ts';
import type { Environment } from './environment-settings.ts';
import { readEnvironment } from './environment-settings.ts';
import { readFileSettings } from './file-settings.ts';
import { Findings } from './findings.ts';
import { readFlags } from './flag-settings.ts';
import type { RunFlags } from './flags.ts';
import type { Plan } from './plan.ts';
import { named } from './settings.ts';
import { readConfigText } from './source.ts';
import { unexpandedPath } from './unexpanded.ts';

export interface PlanInputs {
  readonly flags: RunFlags;
  readonly environment: Environment;
  /** Absolute; what relative paths start from. */
  readonly workingDirectory: string;
  /** Paths that other parts of the program use, by flag or variable, to be checked with everything else. */
  readonly otherPaths?: Readonly<Record<string, string | undefined>> | undefined;
  /** The text of a file; rejects when it cannot be read. */
  readonly readFile: (path: string) => Promise<string>;
}

/**
 * The plan, or a `MachineIdError`: `CONFIG_UNREADABLE` when the file is missing, `CONFIG_INVALID` with every fault of
 * file, environment and flags together. Reads a file only when `--config` or `TBOT_CONFIG_PATH` names it.
 */
export async function loadPlan(inputs: PlanInputs): Promise<Plan> {
  const { flags, environment, otherPaths = {}, workingDirectory, readFile } = inputs;
  const findings = new Findings();
  for (const [name, path = ''] of Object.entries(otherPaths)) {
    const refusal = unexpandedPath(path);
    if (refusal !== undefined) findings.refuse(named(name), refusal);
  }
  const flagLayers = readFlags(flags, findings);
  const { settings, addressesExported } = readEnvironment(environment, findings);
  const source = await readConfigText(inputs, findings);
  const file = source === undefined ? undefined : readFileSettings(source.text, source.name, findings);
  const plan = await assemblePlan(
    {
      flags: flagLayers,
      environment: settings,
      environmentExported: addressesExported,
      file: file?.layers ?? [],
      fileName: source?.name,
      faulty: file?.faulty ?? new Set(),
      strays: file?.strays ?? [],
      workingDirectory,
    },
    readFile,
    findings,
  );
  if (plan === undefined || findings.hasFaults) throw findings.toError();
  return plan;
}
