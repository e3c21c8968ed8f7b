/** Writes a file without secrets that others may read: whole or not at all, and never through a link. */
import { dirname, join } from 'node:path';
import type { Files } from '../effects/files.ts';
import { components, occupied, refuseSymlinks, unwritable } from './destination.ts';
import { makeDirectory } from './prepare.ts';
import { temporaryName } from './staged-file.ts';

const WORLD_READABLE = 0o644;
/** Cleanup has nothing to do with what holds no credentials. */
const NO_RECORD = { directory: () => Promise.resolve() };

/**
 * Replaces a file that stands at the path; directories that are missing are made.
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
