/** What a process in the background of a job keeps in the job's state directory: its status and its log. */
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { Files } from '../effects/files.ts';
import type { Mask } from '../effects/secret.ts';
import { type BACKGROUND_KINDS, inStateDirectory, jobSuffix } from './manifest.ts';

export type BackgroundKind = (typeof BACKGROUND_KINDS)[number];

/** Identifies a process of the job. `name`: letters, digits, `.`, `-` and `_`, at most 80. */
export interface BackgroundName {
  readonly kind: BackgroundKind;
  readonly name: string;
}

export interface BackgroundPaths {
  readonly status: string;
  /** Empty if the process writes to its own stderr. */
  readonly log: string;
}

/** What the process reports about itself, JSON; the reader checks its form. */
export type Payload = Readonly<Record<string, unknown>>;

const Status = z.strictObject({
  state: z.enum(['starting', 'ready', 'stopped', 'failed']),
  /** When it entered this state, in milliseconds since the Unix epoch. */
  sinceMs: z.number(),
  /** When it last wrote this file. */
  updatedMs: z.number(),
  payload: z.record(z.string(), z.unknown()),
  /** The last failure, or why it ended; undefined if all is well. */
  problem: z.optional(z.string()),
});

export type Status = z.infer<typeof Status>;

type StateFiles = Pick<Files, 'appendText' | 'createFile' | 'entry' | 'makeDirectory' | 'remove' | 'rename' | 'userId'>;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Replaces both files with empty ones, in the first directory that can be written.
 * @throws why none of them can be
 */
export async function createBackgroundFiles(
  files: StateFiles,
  environment: Environment,
  { kind, name }: BackgroundName,
): Promise<BackgroundPaths> {
  if (!/^[\w.-]{1,80}$/.test(name)) throw new Error(`${JSON.stringify(name)} is not a name of a process`);
  const { failures, value } = await inStateDirectory(files, environment, async (directory) => {
    const base = join(directory, `${kind}${jobSuffix(environment)}.${name}`);
    const paths = { status: `${base}.json`, log: `${base}.log` };
    await removeBackgroundFiles(files, paths);
    for (const path of [paths.status, paths.log]) await files.createFile(path, '');
    return paths;
  });
  if (failures !== undefined) throw new Error(failures.join('; '));
  return value;
}

/** Succeeds if they are already gone. */
export async function removeBackgroundFiles(
  files: Pick<Files, 'remove'>,
  { log, status }: BackgroundPaths,
): Promise<void> {
  const logs = log === '' ? [] : [log, olderLog(log)];
  const ofStatus = [
    status,
    temporaryOf(status),
    processIdPath(status),
    noticePath(status),
    `${noticePath(status)}.new`,
  ];
  for (const path of [...ofStatus, ...logs]) await files.remove(path);
}

/** A file with the id of the process alone, for shells. */
export function processIdPath(status: string): string {
  return status.replace(/\.json$/, '.pid');
}

/** A file with a message for later steps; it exists only if there is one. */
export function noticePath(status: string): string {
  return status.replace(/\.json$/, '.notice');
}

const MAX_STATUS_BYTES = 1024 * 1024;

/** Replaces the status atomically. Only the process itself calls it. */
export async function writeStatus(
  files: Pick<Files, 'createFile' | 'remove' | 'rename'>,
  path: string,
  status: Status,
): Promise<void> {
  const temporary = temporaryOf(path);
  await files.remove(temporary);
  await files.createFile(temporary, `${JSON.stringify(status)}\n`);
  await files.rename(temporary, path);
}

function temporaryOf(path: string): string {
  return `${path}.new`;
}

/** Undefined if there is none, for example because the process has not written it yet. */
export async function readStatus(files: Pick<Files, 'readText'>, path: string): Promise<Status | undefined> {
  try {
    return z.safeParse(Status, JSON.parse(await files.readText(path, { maxBytes: MAX_STATUS_BYTES }))).data;
  } catch {
    return undefined;
  }
}

/** The log consists of two files of at most this size, of which the older one is replaced. */
const MAX_LOG_BYTES = 256 * 1024;

/** Appends to the log in order. Never throws: drops what cannot be written. */
export interface BoundedLog {
  write(text: string): void;
  /** Resolves once everything is written. */
  flush(): Promise<void>;
}

export function boundedLog(
  files: Pick<Files, 'appendText' | 'rename'>,
  path: string,
  mask: Pick<Mask, 'apply'>,
): BoundedLog {
  let bytes = 0;
  let last = Promise.resolve();
  const append = async (text: string) => {
    const added = Buffer.byteLength(text);
    if (bytes + added > MAX_LOG_BYTES) {
      await files.rename(path, olderLog(path));
      bytes = 0;
    }
    bytes += added;
    await files.appendText(path, text);
  };
  return {
    write: (text) => {
      const shown = mask.apply(text).slice(0, MAX_LOG_BYTES / 4);
      last = last.then(() => append(shown)).catch(() => undefined);
    },
    flush: () => last,
  };
}

function olderLog(log: string): string {
  return `${log}.old`;
}

const MAX_TAIL_CHARS = 8 * 1024;

/** The last lines of a log; empty if it cannot be read. */
export async function logTail(files: Pick<Files, 'readText'>, log: string, maxLines = 20): Promise<readonly string[]> {
  const limits = { maxBytes: 4 * MAX_LOG_BYTES };
  const texts = [olderLog(log), log].map((path) => files.readText(path, limits).catch(() => ''));
  const text = (await Promise.all(texts)).join('').slice(-MAX_TAIL_CHARS);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .slice(-maxLines);
}
