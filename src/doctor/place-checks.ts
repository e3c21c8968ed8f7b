/** Looks at where a run would write, without writing anything. */
import { resolve } from 'node:path';
import type { SupportedOutput } from '../config/supported.ts';
import { fileFault } from '../effects/file-error.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError } from '../errors.ts';
import { examineBashEnv } from '../job/bash-env.ts';
import type { DirectoryDestination } from '../outputs/destination.ts';
import { examineDirectory } from '../outputs/examine-directory.ts';
import { tbotFiles } from '../produce/tbot-files.ts';
import { type Check, check } from './check.ts';

export interface Places {
  readonly outputs: readonly SupportedOutput[];
  readonly exportVariables: boolean;
  /** Path of the report of a run; undefined for none. */
  readonly report: string | undefined;
}

export async function placeChecks(
  { exportVariables, outputs, report }: Places,
  world: World,
): Promise<readonly Check[]> {
  const destinations = outputs.flatMap((output) => {
    const { destination } = output;
    return destination.type === 'directory' ? [destinationCheck(output, destination, world)] : [];
  });
  return Promise.all([
    ...destinations,
    ...(exportVariables ? [bashEnvCheck(world)] : []),
    ...(report === undefined ? [] : [reportCheck(report, world)]),
  ]);
}

async function destinationCheck(
  output: SupportedOutput,
  destination: DirectoryDestination,
  world: World,
): Promise<Check> {
  const one = check(`destination:${output.path}`, `Destination (${output.path})`);
  try {
    const { exists, path, warnings } = await examineDirectory(
      world,
      destination,
      world.workingDirectory,
      tbotFiles(output).required,
    );
    const detail = exists ? `${path} may be written to` : `${path} can be made`;
    return warnings.length === 0
      ? one.pass(detail)
      : one.warn(
          [detail, ...warnings],
          'Give a private folder outside the checkout, such as one below the home directory, or leave it: run warns too, and goes on.',
        );
  } catch (error) {
    return one.failed(asMachineIdError(error));
  }
}

async function bashEnvCheck({ environment, files }: World): Promise<Check> {
  const one = check('bash-env', '$BASH_ENV');
  try {
    await examineBashEnv(files, environment);
    return one.pass('variables for later steps can be appended');
  } catch (error) {
    return one.failed(asMachineIdError(error));
  }
}

/** A run without its report is a run with a warning. */
async function reportCheck(report: string, { files, workingDirectory }: World): Promise<Check> {
  const one = check('report', 'Report');
  const path = resolve(workingDirectory, report);
  try {
    await files.mayWrite(path, 'file');
    return one.pass(`${path} can be written`);
  } catch (error) {
    return one.warn(
      `${path} cannot be written: ${fileFault(error)}`,
      'Give a path in a folder that this job may write to.',
    );
  }
}
