/** Where the files of one output go. */
import { resolve } from 'node:path';
import type { DirectoryDestination, MemoryDestination } from '../outputs/destination.ts';
import { isListed } from '../outputs/key-files.ts';
import type { OutputFile } from '../outputs/output-file.ts';
import { prepareDirectory } from '../outputs/prepare-directory.ts';
import { writeDirectory } from '../outputs/write-directory.ts';
import type { RunContext } from './context.ts';

export interface Place {
  /** For the summary: the absolute path, or `memory`. */
  readonly shown: string;
  /** Absolute path; undefined when nothing is written to disk. */
  readonly directory: string | undefined;
  readonly settings: DirectoryDestination | undefined;
}

export function placeOf(
  destination: DirectoryDestination | MemoryDestination,
  { world }: Pick<RunContext, 'world'>,
): Place {
  switch (destination.type) {
    case 'directory': {
      const directory = resolve(world.workingDirectory, destination.path);
      return { shown: directory, directory, settings: destination };
    }
    case 'memory':
      return { shown: 'memory', directory: undefined, settings: undefined };
    default:
      return destination satisfies never;
  }
}

/** Before the join: a destination that cannot be written ends the run while nothing has been asked of anybody. */
export async function prepare(
  destination: DirectoryDestination | MemoryDestination,
  { world, log, record }: RunContext,
): Promise<void> {
  if (destination.type !== 'directory') return;
  const { warnings } = await prepareDirectory(world.files, destination, world.workingDirectory, record);
  for (const warning of warnings) log.warn(warning);
}

export interface Written {
  readonly files: readonly string[];
  /** Sentences for a person to read. */
  readonly warnings: readonly string[];
}

/** Writes them all; those that only prove something are not returned. */
export async function write(
  { world: { files: system, commands, signal }, record }: RunContext,
  { directory, settings }: Place,
  files: readonly OutputFile[],
): Promise<Written> {
  signal.throwIfAborted();
  if (directory === undefined || settings === undefined) return { files: [], warnings: [] };
  const warnings = await writeDirectory({ files: system, commands, record, signal }, settings, directory, files);
  return { files: files.map(({ name }) => name).filter(isListed), warnings };
}
