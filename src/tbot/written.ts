/** Finds the files that tbot wrote for an output, and the problems of missing ones. */
import { join } from 'node:path';
import type { Files } from '../effects/files.ts';
import { targetOf } from '../files/staged-file.ts';
import { WRITE_TEST } from '../outputs/identity-files.ts';
import { filesOf, type SupportedOutput } from '../outputs/outputs.ts';
import type { DirectoryDestination } from '../schema/destination.ts';

export interface FoundFile {
  /** Relative to the destination. */
  readonly name: string;
  /** Links resolved. */
  readonly path: string;
  readonly contents: string;
}

export interface Found {
  readonly files: readonly FoundFile[];
  /** For each missing file that the output must have: its path and the problem. */
  readonly problems: readonly string[];
}

export interface TbotDestination {
  /** Absolute. */
  readonly directory: string;
  readonly destination: DirectoryDestination;
}

/** By name, the modification times of files that existed before tbot ran, which are more reliable than any clock. */
export type ModificationTimes = ReadonlyMap<string, number>;

type FoundFiles = Pick<Files, 'entry' | 'names' | 'readLink' | 'readText' | 'userId'>;

const MAX_FILE_BYTES = 4 * 1024 * 1024;

export async function findModificationTimes(
  output: SupportedOutput,
  place: TbotDestination,
  files: FoundFiles,
): Promise<ModificationTimes> {
  const standing = new Map<string, number>();
  for (const name of await wantedNames(output, place, files)) {
    const path = await targetIn(place, name, files).catch(() => undefined);
    const entry = path === undefined ? undefined : await files.entry(path);
    if (entry !== undefined) standing.set(name, entry.modifiedMs);
  }
  return standing;
}

/** Never rejects: even after a failed run, the files that tbot left must be known. */
export async function findWritten(
  output: SupportedOutput,
  place: TbotDestination,
  before: ModificationTimes,
  files: FoundFiles,
): Promise<Found> {
  const { required } = filesOf(output);
  const names = await wantedNames(output, place, files);
  const looked = await Promise.all(names.map((name) => readIfChanged(name, place, before, files)));
  return {
    files: looked.flatMap((one) => ('contents' in one ? [one] : [])),
    problems: looked.flatMap((one) => ('problem' in one && required.includes(one.name) ? [one.problem] : [])),
  };
}

async function wantedNames(
  output: SupportedOutput,
  place: TbotDestination,
  files: FoundFiles,
): Promise<readonly string[]> {
  const { optional, optionalEndings, required } = filesOf(output);
  const others = await namesEndingIn(optionalEndings, place, files);
  return [...new Set([...required, ...others, ...optional, WRITE_TEST.name])];
}

async function namesEndingIn(
  endings: readonly string[],
  { directory }: TbotDestination,
  files: FoundFiles,
): Promise<readonly string[]> {
  if (endings.length === 0) return [];
  // If the directory is gone, the missing files are reported.
  const names = await files.names(directory).catch(() => []);
  return names.filter((name) => endings.some((ending) => name.endsWith(ending))).sort();
}

async function readIfChanged(
  name: string,
  place: TbotDestination,
  before: ModificationTimes,
  files: FoundFiles,
): Promise<FoundFile | { readonly name: string; readonly problem: string }> {
  const wrong = (what: string) => ({ name, problem: `${join(place.directory, name)} ${what}` });
  try {
    const path = await targetIn(place, name, files);
    const entry = await files.entry(path);
    if (entry === undefined) return wrong('is missing');
    if (entry.modifiedMs === before.get(name)) return wrong('existed before and was not written');
    if (files.userId !== undefined && entry.userId !== files.userId) {
      return wrong(`belongs to another user (${entry.userId})`);
    }
    return { name, path, contents: await files.readText(path, { maxBytes: MAX_FILE_BYTES }) };
  } catch (error) {
    return wrong(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function targetIn({ destination, directory }: TbotDestination, name: string, files: FoundFiles): Promise<string> {
  return targetOf(files, join(directory, name), destination.symlinks, directory);
}
