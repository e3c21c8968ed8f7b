/** The file of `--junit`. */
import { dirname, join, resolve } from 'node:path';
import type { Check } from '../doctor/check.ts';
import { fileFault } from '../effects/file-error.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import { temporaryName } from '../outputs/temporary-name.ts';
import { junitXml } from '../report/junit.ts';

/**
 * Writes the whole file or none.
 * @param given as on the command line
 */
export async function writeJunit(
  given: string,
  checks: readonly Check[],
  { files, workingDirectory }: World,
): Promise<void> {
  const path = resolve(workingDirectory, given);
  const temporary = join(dirname(path), temporaryName(files));
  const xml = junitXml(
    'teleport/machine-id doctor',
    checks.map(({ title, ...one }) => ({ ...one, name: title })),
  );
  try {
    await makeFolders(dirname(path), files);
    await files.createFile(temporary, xml);
    await files.rename(temporary, path);
  } catch (cause) {
    await files.remove(temporary).catch(() => undefined);
    throw new MachineIdError('DESTINATION_UNWRITABLE', `cannot write ${path}: ${fileFault(cause)}`, {
      hint: 'Give --junit a path in a directory that this job may write to.',
      cause,
    });
  }
}

async function makeFolders(path: string, files: World['files']): Promise<void> {
  if ((await files.entry(path)) !== undefined) return;
  await makeFolders(dirname(path), files);
  await files.makeDirectory(path);
}
