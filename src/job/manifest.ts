/** What the runs of one job have written: a private file of JSON lines, which `cleanup` works off. */
import { join } from 'node:path';
import * as z from 'zod/mini';
import { sha256Hex } from '../crypto/validity.ts';
import { errorCode, fileErrorText } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const Entry = z.union([
  z.strictObject({ destination: z.string() }),
  z.strictObject({ directory: z.string() }),
  z.strictObject({
    file: z.string(),
    sha256: z.string(),
    temporaries: z.array(z.string()),
    awsProfile: z.optional(z.string()),
  }),
  z.strictObject({ exports: z.string(), lines: z.string() }),
  z.strictObject({ job: z.string(), scope: z.string(), processes: z.array(z.string()), endsMs: z.number() }),
]);

/** Paths are absolute; `lines` is what was appended to the file `exports`. */
export type ManifestEntry = z.infer<typeof Entry>;

/** By which a later job knows whether the job that wrote has ended (`left-over.ts`). */
export interface Writer {
  /** Empty where processes cannot be listed. */
  readonly scope: string;
  /** Those that the run was started by: its parent first. */
  readonly processes: readonly string[];
  /** When the last of the credentials ends at the latest: milliseconds since the Unix epoch. */
  readonly endsMs: number;
}

export interface Manifest extends WriteRecord {
  /** Lines that are about to be appended to the file that `$BASH_ENV` names. */
  exports(path: string, lines: string): Promise<void>;
}

const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

/**
 * Its file is made with the first entry. A run does not fail because of it: what it writes can still be used.
 * @param warn called once when the manifest cannot be written
 */
export function openManifest(
  files: Pick<Files, 'entry' | 'makeDirectory' | 'userId' | 'appendText'>,
  environment: Environment,
  warn: (message: string) => void,
  writer?: Writer,
): Manifest {
  let hasWarned = false;
  const headed = new Set<string>();
  const append = async (added: readonly ManifestEntry[]) => {
    const { failures } = await inStateDirectory(files, environment, async (directory) => {
      const heading = writer === undefined || headed.has(directory) ? [] : [writerEntry(writer, environment)];
      // A line break first, since a run that was killed may have left half a line.
      const lines = [...heading, ...added].map((entry) => `\n${JSON.stringify(entry)}\n`).join('');
      await files.appendText(join(directory, manifestName(environment)), ascii(lines));
      headed.add(directory);
    });
    if (failures === undefined || hasWarned) return;
    hasWarned = true;
    warn(`"cleanup" will not remove what this run writes, since the list of it cannot be kept: ${failures.join('; ')}`);
  };
  return {
    directory: (path) => append([{ directory: path }]),
    files: (planned, destination) =>
      append([...(destination === undefined ? [] : [{ destination }]), ...planned.map(fileEntry)]),
    exports: (path, lines) => append([{ exports: path, lines }]),
  };
}

function writerEntry({ endsMs, processes, scope }: Writer, environment: Environment): ManifestEntry {
  return { job: environment.CIRCLE_WORKFLOW_JOB_ID ?? '', scope, processes: [...processes], endsMs };
}

function fileEntry({ awsProfile, contents, path, temporaries }: PlannedFile): ManifestEntry {
  const entry = { file: path, sha256: sha256Hex(contents), temporaries: [...temporaries] };
  return awsProfile === undefined ? entry : { ...entry, awsProfile };
}

/** JSON in which nothing takes several bytes: half a character would make the whole file unreadable. */
function ascii(json: string): string {
  return json.replace(/[^\n -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export interface StoredManifest {
  readonly path: string;
  /** In the order of writing. */
  readonly entries: readonly ManifestEntry[];
}

/**
 * Those of this job, in whichever of the directories; none when no run has written anything.
 * @throws MachineIdError CLEANUP_FAILED for one that is no text, too long or not to be opened
 */
export async function readManifests(
  files: Pick<Files, 'entry' | 'userId' | 'readText'>,
  environment: Environment,
): Promise<readonly StoredManifest[]> {
  const found: StoredManifest[] = [];
  for (const directory of stateDirectories(environment, files.userId)) {
    const path = join(directory, manifestName(environment));
    if (!(await isPrivate(files, directory)) || (await files.entry(path))?.kind !== 'file') continue;
    found.push({ path, entries: parse(await readLines(files, path)) });
  }
  return found;
}

/** Of other jobs of this user on this machine, and of other nodes of this job; one that cannot be read is left out. */
export async function readOtherManifests(
  files: Pick<Files, 'entry' | 'names' | 'userId' | 'readText'>,
  environment: Environment,
): Promise<readonly StoredManifest[]> {
  const found: StoredManifest[] = [];
  for (const directory of stateDirectories(environment, files.userId)) {
    if (!(await isPrivate(files, directory))) continue;
    const names = await files.names(directory).catch(() => []);
    for (const name of names.filter((one) => MANIFEST_NAME.test(one) && one !== manifestName(environment)).sort()) {
      const path = join(directory, name);
      const text = await files.readText(path, { maxBytes: MAX_MANIFEST_BYTES }).catch(() => undefined);
      if (text !== undefined) found.push({ path, entries: parse(text) });
    }
  }
  return found;
}

async function readLines(files: Pick<Files, 'readText'>, path: string): Promise<string> {
  try {
    return await files.readText(path, { maxBytes: MAX_MANIFEST_BYTES });
  } catch (cause) {
    throw new MachineIdError('CLEANUP_FAILED', `${path}, the list of what this job's runs wrote, cannot be read`, {
      hint: 'Look at that file and remove by hand what it names, then the file itself; the certificates end by themselves.',
      cause,
    });
  }
}

/** A line that cannot be read is half of one; what it stood for was not written yet. */
function parse(text: string): readonly ManifestEntry[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      const { data } = z.safeParse(Entry, JSON.parse(line));
      return data === undefined ? [] : [data];
    } catch {
      return [];
    }
  });
}

const MANIFEST_NAME = /^written(?:-[\w-]+)?\.jsonl$/;

/** A machine may run several jobs of one user, at once or one after another: each has its own. */
function manifestName({ CIRCLE_WORKFLOW_JOB_ID: job = '', CIRCLE_NODE_INDEX: node = '0' }: Environment): string {
  const plain = /^[\w-]{1,80}$/;
  return plain.test(job) && plain.test(node) ? `written-${job}-${node}.jsonl` : 'written.jsonl';
}

// The private directory in which runs of one job leave word for its later steps.

type StateFiles = Pick<Files, 'entry' | 'makeDirectory' | 'userId'>;

const WRITABLE_BY_OTHERS = 0o022;

/** In the order of trying: the home directory may be missing or read-only. */
function stateDirectories({ HOME, TMPDIR }: Environment, userId: number | undefined): readonly string[] {
  const temporary = join(
    TMPDIR === undefined || TMPDIR === '' ? '/tmp' : TMPDIR,
    `teleport-machine-id-${userId ?? 'user'}`,
  );
  return HOME ? [join(HOME, '.teleport-machine-id'), temporary] : [temporary];
}

type StateOutcome<T> =
  | { readonly value: T; readonly failures?: undefined }
  /** Why none of the directories could be used: each with its path. */
  | { readonly value?: undefined; readonly failures: readonly string[] };

/**
 * Does work that writes into the first directory in which it succeeds: a disk may be full or become read-only at any time.
 * A directory is made where it is missing, and not used when others may write to it.
 */
export async function inStateDirectory<T>(
  files: StateFiles,
  environment: Environment,
  work: (directory: string) => Promise<T>,
): Promise<StateOutcome<T>> {
  const failures: string[] = [];
  for (const path of stateDirectories(environment, files.userId)) {
    try {
      await make(files, path);
      if (!(await isPrivate(files, path))) throw new Error('it is not a directory that only this user may write to');
      return { value: await work(path) };
    } catch (error) {
      failures.push(`${path}: ${fileErrorText(error)}`);
    }
  }
  return { failures };
}

/** Whether others can have planted something there. */
async function isPrivate(files: Pick<Files, 'entry' | 'userId'>, path: string): Promise<boolean> {
  const entry = await files.entry(path);
  if (entry?.kind !== 'directory') return false;
  // Windows has neither owners nor such bits.
  return files.userId === undefined || (entry.userId === files.userId && (entry.mode & WRITABLE_BY_OTHERS) === 0);
}

async function make(files: StateFiles, path: string): Promise<void> {
  try {
    await files.makeDirectory(path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

// Records everything that is written, so that it can be removed at the end of the job.

export interface PlannedFile {
  /** Where the file will be, links resolved. */
  readonly path: string;
  readonly contents: string | Uint8Array;
  /** Names that the bytes, or those of the file before, have meanwhile. */
  readonly temporaries: readonly string[];
  /** As in `OutputFile`. */
  readonly awsProfile?: string | undefined;
}

export interface WriteRecord {
  /** A directory that was made. */
  directory(path: string): Promise<void>;
  /**
   * Files that are about to be written: what a run leaves when it is killed is known too.
   * @param destination the directory that they go into
   */
  files(files: readonly PlannedFile[], destination?: string): Promise<void>;
}

/** For those who keep no record. */
export const NO_RECORD: WriteRecord = {
  directory: () => Promise.resolve(),
  files: () => Promise.resolve(),
};
