/** The folder that `init` writes to. */
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { World } from '../../effects/world.ts';
import type { Problem } from '../../errors.ts';
import { prepareDirectory } from '../../files/prepare.ts';
import { writeDirectory } from '../../files/write.ts';
import { NO_RECORD } from '../../job/manifest.ts';
import { unexpandedPath } from '../../schema/unexpanded.ts';
import type { SetupFile, SetupLocation } from './fields.ts';
import { SETUP_FILE_NAMES } from './render.ts';

export const DEFAULT_DIRECTORY = 'teleport';

/** The orb expands `$NAME` and a leading `~/` in a path, CircleCI `<<`; neither may happen to a folder's own name. */
const EXPANDED = /\$|<<|>>|\\|^~|\p{Cc}/u;

/**
 * Where the files are from here, and where the config finds them: from the root of the repository on, which the job
 * checks out, or in a folder of the same name, when they are outside of it.
 */
export async function locateSetup(directory: string, world: FolderEffects): Promise<Omit<SetupLocation, 'version'>> {
  const { workingDirectory } = world;
  const path = resolve(workingDirectory, directory);
  const root = (await repositoryRoot(workingDirectory, world)) ?? workingDirectory;
  return {
    written: withTrailingSlash(relativeInside(workingDirectory, path) ?? path),
    folder: withTrailingSlash(relativeInside(root, path) ?? basename(path)),
  };
}

type FolderEffects = Pick<World, 'files' | 'workingDirectory'>;

async function repositoryRoot(directory: string, { files }: FolderEffects): Promise<string | undefined> {
  if ((await files.entry(join(directory, '.git'))) !== undefined) return directory;
  const parent = dirname(directory);
  return parent === directory ? undefined : repositoryRoot(parent, { files, workingDirectory: parent });
}

function relativeInside(outer: string, path: string): string | undefined {
  const way = relative(outer, path);
  return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way) ? undefined : way;
}

function withTrailingSlash(path: string): string {
  return path === '' ? '' : `${path.split(sep).join('/')}/`;
}

/** What stands in the way of writing there. */
export async function directoryProblems(
  directory: string,
  force: boolean,
  { files, workingDirectory }: FolderEffects,
): Promise<readonly Problem[]> {
  const unexpanded = unexpandedPath(directory);
  if (unexpanded !== undefined) return [{ path: '--directory', message: unexpanded }];
  if (EXPANDED.test((await locateSetup(directory, { files, workingDirectory })).folder)) {
    const message = 'a path with $, <<, >>, a backslash or a leading ~ cannot be named in a config';
    return [{ path: '--directory', message: `${JSON.stringify(directory)}: ${message}` }];
  }
  if (force) return [];
  const problems: Problem[] = [];
  for (const name of SETUP_FILE_NAMES) {
    const path = join(resolve(workingDirectory, directory), name);
    if ((await files.entry(path)) === undefined) continue;
    problems.push({ path, message: 'is there already; --force replaces it, --directory takes another folder' });
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
