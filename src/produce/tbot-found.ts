/** Finds what tbot has written for an output: the files that are as new as the run, and what is wrong with the others. */
import { join } from 'node:path';
import type { SupportedOutput } from '../config/supported.ts';
import type { Files } from '../effects/files.ts';
import type { DirectoryDestination } from '../outputs/destination.ts';
import { targetOf } from '../outputs/staged-file.ts';
import { tbotFiles } from './tbot-files.ts';

export interface FoundFile {
  /** Relative to the destination. */
  readonly name: string;
  /** Links resolved. */
  readonly path: string;
  readonly contents: string;
}

export interface Found {
  readonly files: readonly FoundFile[];
  /** One for each file that the output must have and has not: its path, and what is wrong. */
  readonly faults: readonly string[];
}

interface Place {
  /** Absolute. */
  readonly directory: string;
  readonly destination: DirectoryDestination;
  readonly startedMs: number;
}

type FoundFiles = Pick<Files, 'entry' | 'names' | 'readLink' | 'readText' | 'userId'>;

const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** File systems keep times less finely than the clock. */
const TIME_SLACK_MS = 2000;

/** Never rejects: after a run that failed, what it has left behind must be known all the same. */
export async function findWritten(output: SupportedOutput, place: Place, files: FoundFiles): Promise<Found> {
  const { optional, optionalEndings, required } = tbotFiles(output);
  const others = await namesEndingIn(optionalEndings, place, files);
  const wanted = [...required, ...new Set([...others, ...optional])].filter(
    (name, at, all) => all.indexOf(name) === at,
  );
  const looked = await Promise.all(wanted.map((name) => look(name, place, files)));
  return {
    files: looked.flatMap((one) => ('contents' in one ? [one] : [])),
    faults: looked.flatMap((one) => ('fault' in one && required.includes(one.name) ? [one.fault] : [])),
  };
}

async function namesEndingIn(
  endings: readonly string[],
  { directory }: Place,
  files: FoundFiles,
): Promise<readonly string[]> {
  if (endings.length === 0) return [];
  // A directory that is gone shows by the files that are missing.
  const names = await files.names(directory).catch(() => []);
  return names.filter((name) => endings.some((ending) => name.endsWith(ending))).sort();
}

async function look(
  name: string,
  { destination, directory, startedMs }: Place,
  files: FoundFiles,
): Promise<FoundFile | { readonly name: string; readonly fault: string }> {
  const shown = join(directory, name);
  const wrong = (what: string) => ({ name, fault: `${shown} ${what}` });
  try {
    const path = await targetOf(files, shown, destination.symlinks, directory);
    const entry = await files.entry(path);
    if (entry === undefined) return wrong('is not there');
    if (entry.modifiedMs < startedMs - TIME_SLACK_MS) return wrong('is older than this run');
    if (files.userId !== undefined && entry.userId !== files.userId) {
      return wrong(`belongs to another user (${entry.userId})`);
    }
    return { name, path, contents: await files.readText(path, { maxBytes: MAX_FILE_BYTES }) };
  } catch (error) {
    return wrong(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
