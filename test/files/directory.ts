/** A directory destination with the defaults of the file format. */
import type { DirectoryDestination } from '../../src/schema/destination.ts';

export function directory(path: string, change: Partial<DirectoryDestination> = {}): DirectoryDestination {
  return { type: 'directory', path, symlinks: 'try-secure', acls: 'try', readers: [], ...change };
}
