/** Checks every place where `run` would write, without writing anything. */
import { resolve } from 'node:path';
import { fileErrorText } from '../../effects/file-error.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError } from '../../errors.ts';
import { inspectDirectory } from '../../files/prepare.ts';
import { checkBashEnv } from '../../job/bash-env.ts';
import { filesOf, type SupportedOutput } from '../../outputs/outputs.ts';
import type { DirectoryDestination } from '../../schema/destination.ts';
import { type Check, check } from './check.ts';

export interface WriteTargets {
  readonly outputs: readonly SupportedOutput[];
  readonly exportVariables: boolean;
  /** Path of the report; undefined if none is configured. */
  readonly report: string | undefined;
}

export async function writeTargetChecks(
  { exportVariables, outputs, report }: WriteTargets,
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
    const { exists, path, warnings } = await inspectDirectory(
      world,
      destination,
      world.workingDirectory,
      filesOf(output).required,
    );
    const detail = exists ? `${path} is writable` : `${path} can be created`;
    return warnings.length === 0
      ? one.pass(detail)
      : one.warn(
          [detail, ...warnings],
          'Use a private directory outside the checkout, such as one in the home directory, or ignore this: run prints the same warning and continues.',
        );
  } catch (error) {
    return one.failed(asMachineIdError(error));
  }
}

async function bashEnvCheck({ environment, files }: World): Promise<Check> {
  const one = check('bash-env', '$BASH_ENV');
  try {
    await checkBashEnv(files, environment);
    return one.pass('variables for later steps can be appended');
  } catch (error) {
    return one.failed(asMachineIdError(error));
  }
}

/** A run that cannot write its report only warns. */
async function reportCheck(report: string, { files, workingDirectory }: World): Promise<Check> {
  const one = check('report', 'Report');
  const path = resolve(workingDirectory, report);
  try {
    await files.mayWrite(path, 'file');
    return one.pass(`${path} can be written`);
  } catch (error) {
    return one.warn(
      `${path} cannot be written: ${fileErrorText(error)}`,
      'Use a path in a directory that this job can write to.',
    );
  }
}
