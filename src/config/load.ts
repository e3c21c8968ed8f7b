/** Reads flags, environment and tbot.yaml into the plan of one run. */
import { assemblePlan } from './assemble.ts';
import type { Environment } from './environment-settings.ts';
import { readEnvironment } from './environment-settings.ts';
import { readFileSettings } from './file-settings.ts';
import { Findings } from './findings.ts';
import { readFlags } from './flag-settings.ts';
import type { RunFlags } from './flags.ts';
import { asMachineIdError, type MachineIdError } from '../errors.ts';
import type { ClusterAddress, Plan } from './plan.ts';
import { named } from './settings.ts';
import { type ConfigText, readConfigText } from './source.ts';
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
  const { error, plan } = await readPlan(inputs, { outputsNeeded: true });
  if (error !== undefined) throw error;
  return plan ?? unexplained();
}

export interface PlanReading {
  /** What can be known whatever else is wrong; undefined without an address or a join token. */
  readonly plan: Plan | undefined;
  /** Undefined when none is named that can be read. */
  readonly address: ClusterAddress | undefined;
  readonly insecure: boolean;
  /** Whether the outputs of the plan are all that the configuration asks for; others cannot be read. */
  readonly outputsKnown: boolean;
  /** Everything that is wrong: with it, a run must not follow the plan. */
  readonly error: MachineIdError | undefined;
}

/** Reads as much as can be read. */
export async function readPlan(
  inputs: PlanInputs,
  { outputsNeeded }: { readonly outputsNeeded: boolean },
): Promise<PlanReading> {
  const { flags, environment, otherPaths = {}, workingDirectory, readFile } = inputs;
  const findings = new Findings();
  for (const [name, path = ''] of Object.entries(otherPaths)) {
    const refusal = unexpandedPath(path);
    if (refusal !== undefined) findings.refuse(named(name), refusal);
  }
  const flagLayers = readFlags(flags, findings);
  const { settings, addressesExported } = readEnvironment(environment, findings);
  const { error: unreadable, source } = await sourceOf(inputs, findings);
  const file = source === undefined ? undefined : readFileSettings(source.text, source.name, findings);
  const faulty = unreadable === undefined ? (file?.faulty ?? new Set<string>()) : 'all';
  const { address, insecure, plan } = await assemblePlan(
    {
      flags: flagLayers,
      environment: settings,
      environmentExported: addressesExported,
      file: file?.layers ?? [],
      fileName: source?.name,
      faulty,
      strays: file?.strays ?? [],
      outputsNeeded: outputsNeeded && unreadable === undefined,
      workingDirectory,
    },
    readFile,
    findings,
  );
  const isOutputRead = faulty !== 'all' && !['outputs', 'services', 'destinations'].some((key) => faulty.has(key));
  return {
    plan,
    address,
    insecure,
    outputsKnown: isOutputRead && !findings.hasFaultAt('--destination'),
    error: unreadable ?? (findings.hasFaults ? findings.toError() : undefined),
  };
}

async function sourceOf(
  inputs: PlanInputs,
  findings: Findings,
): Promise<{ readonly source: ConfigText | undefined; readonly error: MachineIdError | undefined }> {
  try {
    return { source: await readConfigText(inputs, findings), error: undefined };
  } catch (error) {
    return { source: undefined, error: asMachineIdError(error) };
  }
}

function unexplained(): never {
  throw new Error('the configuration gives no plan, and nothing says why');
}
