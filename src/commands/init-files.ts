/** The folder that `init` writes to. */
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { unexpandedPath } from '../config/unexpanded.ts';
import type { World } from '../effects/world.ts';
import type { Fault } from '../errors.ts';
import { prepareDirectory } from '../outputs/prepare-directory.ts';
import { writeDirectory } from '../outputs/write-directory.ts';
import { NO_RECORD } from '../outputs/write-record.ts';
import { SETUP_FILE_NAMES } from '../setup/files.ts';
import type { SetupFile, SetupPlace } from '../setup/setup.ts';

export const DEFAULT_DIRECTORY = 'teleport';

/** The orb expands `$NAME` and a leading `~/` in a path, CircleCI `<<`; neither may happen to a folder's own name. */
const EXPANDED = /\$|<<|>>|\\|^~|\p{Cc}/u;

/**
 * Where the files are from here, and where the config finds them: from the root of the repository on, which the job
 * checks out, or in a folder of the same name, when they are outside of it.
 */
export async function placeOf(directory: string, world: Place): Promise<Omit<SetupPlace, 'version'>> {
  const { workingDirectory } = world;
  const path = resolve(workingDirectory, directory);
  const root = (await repositoryRoot(workingDirectory, world)) ?? workingDirectory;
  return {
    written: asFolder(wayInside(workingDirectory, path) ?? path),
    folder: asFolder(wayInside(root, path) ?? basename(path)),
  };
}

type Place = Pick<World, 'files' | 'workingDirectory'>;

async function repositoryRoot(directory: string, { files }: Place): Promise<string | undefined> {
  if ((await files.entry(join(directory, '.git'))) !== undefined) return directory;
  const parent = dirname(directory);
  return parent === directory ? undefined : repositoryRoot(parent, { files, workingDirectory: parent });
}

function wayInside(outer: string, path: string): string | undefined {
  const way = relative(outer, path);
  return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way) ? undefined : way;
}

function asFolder(path: string): string {
  return path === '' ? '' : `${path.split(sep).join('/')}/`;
}

/** What stands in the way of writing there. */
export async function directoryFaults(
  directory: string,
  force: boolean,
  { files, workingDirectory }: Place,
): Promise<readonly Fault[]> {
  const unexpanded = unexpandedPath(directory);
  if (unexpanded !== undefined) return [{ path: '--directory', message: unexpanded }];
  if (EXPANDED.test((await placeOf(directory, { files, workingDirectory })).folder)) {
    const message = 'a path with $, <<, >>, a backslash or a leading ~ cannot be named in a config';
    return [{ path: '--directory', message: `${JSON.stringify(directory)}: ${message}` }];
  }
  if (force) return [];
  const faults: Fault[] = [];
  for (const name of SETUP_FILE_NAMES) {
    const path = join(resolve(workingDirectory, directory), name);
    if ((await files.entry(path)) === undefined) continue;
    faults.push({ path, message: 'is there already; --force replaces it, --directory takes another folder' });
  }
  return faults;
}

/** @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE */
export async function writeFiles(directory: string, setupFiles: readonly SetupFile[], world: World): Promise<void> {
  const { commands, files, workingDirectory } = world;
  const destination = { type: 'directory', path: directory, symlinks: 'try-secure', acls: 'off', readers: [] } as const;
  const { path } = await prepareDirectory(files, destination, workingDirectory, NO_RECORD);
  await writeDirectory({ files, commands, record: NO_RECORD }, destination, path, setupFiles);
}
