/** Looks at where a run would write, without writing anything. */
import { resolve } from 'node:path';
import { fileErrorText } from '../../effects/file-error.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError } from '../../errors.ts';
import { inspectDirectory } from '../../files/prepare.ts';
import { checkBashEnv } from '../../job/bash-env.ts';
import type { SupportedOutput } from '../../outputs/output.ts';
import type { DirectoryDestination } from '../../schema/destination.ts';
import { tbotFiles } from '../../tbot/written.ts';
import { type Check, check } from './check.ts';

export interface WriteTargets {
  readonly outputs: readonly SupportedOutput[];
  readonly exportVariables: boolean;
  /** Path of the report of a run; undefined for none. */
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
    await checkBashEnv(files, environment);
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
      `${path} cannot be written: ${fileErrorText(error)}`,
      'Give a path in a folder that this job may write to.',
    );
  }
}
