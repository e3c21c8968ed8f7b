/** The directory that `init` writes to. */
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { World } from '../../effects/world.ts';
import type { Problem } from '../../errors.ts';
import { prepareDirectory } from '../../files/prepare.ts';
import { writeDirectory } from '../../files/write.ts';
import { NO_RECORD } from '../../job/manifest.ts';
import { unexpandedPath } from '../../schema/unexpanded.ts';
import type { SetupFile, SetupLocation } from './setup.ts';

export const DEFAULT_DIRECTORY = 'teleport';

/** Rejects names that would be expanded in a config: the orb expands `$NAME` and a leading `~/`, CircleCI `<<`. */
const EXPANDED = /\$|<<|>>|\\|^~|\p{Cc}/u;

/**
 * The paths of the files for commands and for the config. The config's path starts at the root of the repository; files
 * outside of the repository are expected there in a directory of the same name.
 */
export async function locateSetup(directory: string, world: DirectoryEffects): Promise<Omit<SetupLocation, 'version'>> {
  const { workingDirectory } = world;
  const path = resolve(workingDirectory, directory);
  const root = (await repositoryRoot(workingDirectory, world)) ?? workingDirectory;
  return {
    pathFromHere: withTrailingSlash(relativeInside(workingDirectory, path) ?? path),
    pathInRepository: withTrailingSlash(relativeInside(root, path) ?? basename(path)),
  };
}

type DirectoryEffects = Pick<World, 'files' | 'workingDirectory'>;

async function repositoryRoot(directory: string, { files }: DirectoryEffects): Promise<string | undefined> {
  if ((await files.entry(join(directory, '.git'))) !== undefined) return directory;
  const parent = dirname(directory);
  return parent === directory ? undefined : repositoryRoot(parent, { files, workingDirectory: parent });
}

function relativeInside(outer: string, path: string): string | undefined {
  const inner = relative(outer, path);
  return inner === '..' || inner.startsWith(`..${sep}`) || isAbsolute(inner) ? undefined : inner;
}

function withTrailingSlash(path: string): string {
  return path === '' ? '' : `${path.split(sep).join('/')}/`;
}

/** The reasons why the files cannot be written there. */
export async function directoryProblems(
  directory: string,
  { force, names }: { readonly force: boolean; readonly names: readonly SetupFile['name'][] },
  { files, workingDirectory }: DirectoryEffects,
): Promise<readonly Problem[]> {
  const unexpanded = unexpandedPath(directory);
  if (unexpanded !== undefined) return [{ path: '--directory', message: unexpanded }];
  if (EXPANDED.test((await locateSetup(directory, { files, workingDirectory })).pathInRepository)) {
    const message = 'a path with $, <<, >>, a backslash or a leading ~ cannot be used in a config';
    return [{ path: '--directory', message: `${JSON.stringify(directory)}: ${message}` }];
  }
  if (force) return [];
  const problems: Problem[] = [];
  for (const name of names) {
    const path = join(resolve(workingDirectory, directory), name);
    if ((await files.entry(path)) === undefined) continue;
    problems.push({
      path,
      message: 'already exists; replace it with --force, or choose another directory with --directory',
    });
  }
  return problems;
}

/** @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE */
export async function writeFiles(directory: string, setupFiles: readonly SetupFile[], world: World): Promise<void> {
  const { commands, files, workingDirectory } = world;
  const destination = { type: 'directory', path: directory, symlinks: 'try-secure', acls: 'off', readers: [] } as const;
  const { path } = await prepareDirectory(files, destination, workingDirectory, NO_RECORD);
  await writeDirectory({ files, commands, record: NO_RECORD }, destination, path, setupFiles);
}
