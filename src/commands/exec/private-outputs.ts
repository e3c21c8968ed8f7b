/** The outputs of a configuration, written to one private directory instead of their own destinations. */
import { join } from 'node:path';
import { loadPlan } from '../../config/load.ts';
import type { RunFlags } from '../../config/settings.ts';
import type { World } from '../../effects/world.ts';
import type { SupportedOutput } from '../../outputs/outputs.ts';
import { plainDirectory } from '../../schema/destination.ts';

const MAX_INPUT_BYTES = 1024 * 1024;

/**
 * The flags, with the directory as their destination if the outputs are not those of a file: one identity, if no flag requests
 * others.
 * @throws MachineIdError as `loadPlan` does
 */
export async function flagsWithOutputs(flags: RunFlags, directory: string, world: World): Promise<RunFlags> {
  const within = { ...flags, destination: directory };
  const { application, config, configString, database, kubernetesCluster, ssh } = flags;
  const { TBOT_CONFIG, TBOT_CONFIG_PATH } = world.environment;
  const isRequested = [application, database, kubernetesCluster, ssh].some((flag) => flag !== undefined);
  const hasFile = [config, configString, TBOT_CONFIG, TBOT_CONFIG_PATH].some((source = '') => source !== '');
  if (isRequested || !hasFile) return within;
  const { environment, files, signal, workingDirectory } = world;
  const readFile = (path: string) => files.readInput(path, { maxBytes: MAX_INPUT_BYTES, signal });
  const { outputs } = await loadPlan({ flags, environment, workingDirectory, readFile });
  return outputs.length === 0 ? within : flags;
}

/** Each output of a file gets a folder, whose name is that of the output if it has one. */
export function inDirectory(outputs: readonly SupportedOutput[], directory: string): readonly SupportedOutput[] {
  return outputs.map((output, at) =>
    output.path.startsWith('--')
      ? output
      : { ...output, destination: plainDirectory(join(directory, folderOf(output, at))) },
  );
}

function folderOf({ name, type }: SupportedOutput, at: number): string {
  return name !== undefined && /^\w[\w.-]*$/.test(name) ? name : `${at}-${type.replaceAll('/', '-')}`;
}
