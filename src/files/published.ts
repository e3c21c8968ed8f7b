/** Writes a world-readable file without secrets: completely or not at all, and never through a link. */
import { dirname, join } from 'node:path';
import type { Files } from '../effects/files.ts';
import { components, occupied, refuseSymlinks, unwritable } from './destination.ts';
import { makeDirectory } from './prepare.ts';
import { temporaryName } from './staged-file.ts';

const WORLD_READABLE = 0o644;
/** `cleanup` keeps files without credentials. */
const NO_RECORD = { directory: () => Promise.resolve() };

/**
 * Replaces an existing file; creates missing directories.
 * @param path absolute
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function writePublishedFile(files: Files, path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, temporaryName(files));
  try {
    await refuseSymlinks(files, path, 'try-secure');
    for (const component of components(folder)) await makeDirectory(files, component, NO_RECORD);
    if (!['file', undefined].includes((await files.entry(path))?.kind)) throw occupied(path, 'file');
    await files.createFile(temporary, text);
    await files.setMode(temporary, WORLD_READABLE);
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw unwritable(path, error);
  }
}
