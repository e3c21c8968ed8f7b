/** What a person should know about a directory that stood before, or about its place. */
import { isAbsolute, relative, sep } from 'node:path';
import type { FileEntry, Files } from '../effects/files.ts';
import type { DirectoryDestination } from './destination.ts';

const OTHERS_CAN_WRITE = 0o022;
const OTHERS_CAN_LOOK = 0o055;
const ROOT_USER = 0;

/**
 * @param path absolute, a directory
 * @returns sentences for a person to read
 */
export async function directoryWarnings(
  files: Pick<Files, 'entry' | 'platform' | 'userId'>,
  { readers }: DirectoryDestination,
  path: string,
  workingDirectory: string,
): Promise<string[]> {
  const there = await files.entry(path);
  const warnings =
    there?.kind === 'directory' && files.platform !== 'win32' ? accessWarnings(files, path, there, readers.length) : [];
  if (isInside(path, workingDirectory)) {
    warnings.push(`${path} lies in the working directory: caches, workspaces and artifacts may carry the keys away`);
  }
  return warnings;
}

/** The mode of a directory that stood before is left alone: others may count on it. */
function accessWarnings({ userId }: Pick<Files, 'userId'>, path: string, there: FileEntry, readers: number): string[] {
  const mode = `mode ${there.mode.toString(8)}`;
  if (userId !== undefined && there.userId !== userId && there.userId !== ROOT_USER) {
    return [`${path} belongs to another user (${there.userId}), who can replace the files in it`];
  }
  if ((there.mode & OTHERS_CAN_WRITE) !== 0) return [`${path} can be written to by other users (${mode})`];
  // A list of readers shows in these bits.
  if ((there.mode & OTHERS_CAN_LOOK) === 0 || readers > 0) return [];
  return [`${path} can be looked into by other users (${mode}); the files in it cannot be read by them`];
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
