/** The manifest: a private file of JSON lines that lists everything a job's runs have written, for `cleanup`. */
import { join } from 'node:path';
import * as z from 'zod/mini';
import { sha256Hex } from '../crypto/digest.ts';
import { errorCode, fileErrorText } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What runs in the background of a job. */
export const BACKGROUND_KINDS = ['tunnel', 'keeper'] as const;

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
  z.strictObject({ socket: z.string() }),
  z.strictObject({
    background: z.enum(BACKGROUND_KINDS),
    name: z.string(),
    scope: z.string(),
    processName: z.string(),
    status: z.string(),
    log: z.string(),
  }),
  z.strictObject({ private: z.string(), scope: z.string(), process: z.string() }),
  z.strictObject({ job: z.string(), scope: z.string(), processes: z.array(z.string()), endsMs: z.number() }),
]);

/**
 * Paths are absolute; `lines` is the text that was appended to the file `exports`. `log` is empty if there is none. The process
 * that uses the directory `private` alone removes it.
 */
export type ManifestEntry = z.infer<typeof Entry>;

/** A process that outlives its step; `processName` is its name in `scope`. */
export type BackgroundEntry = Extract<ManifestEntry, { readonly background: string }>;

/** Lets a later job find out whether this job has ended (`left-over.ts`). */
export interface Writer {
  /** Empty if processes cannot be listed. */
  readonly scope: string;
  /** The ancestors of the run, parent first. */
  readonly processes: readonly string[];
  /** The latest end of the credentials, in milliseconds since the Unix epoch. */
  readonly endsMs: number;
}

export interface PlannedFile {
  /** The final path, with links resolved. */
  readonly path: string;
  readonly contents: string | Uint8Array;
  /** Temporary names of the new file and of the backup of the old one. */
  readonly temporaries: readonly string[];
  /** As in `OutputFile`. */
  readonly awsProfile?: string | undefined;
}

/** Records everything that is written, so that it can be removed at the end of the job. */
export interface WriteRecord {
  /** Records a directory that was created. */
  directory(path: string): Promise<void>;
  /**
   * Records files before they are written, so that the files of a killed run are known too.
   * @param destination the directory that contains them
   */
  files(files: readonly PlannedFile[], destination?: string): Promise<void>;
  /** Records a Unix socket before this process listens at it. */
  socket(path: string): Promise<void>;
}

/** For callers that keep no record. */
export const NO_RECORD: WriteRecord = {
  directory: () => Promise.resolve(),
  files: () => Promise.resolve(),
  socket: () => Promise.resolve(),
};

export interface Manifest extends WriteRecord {
  /** Records lines before they are appended to the file that `$BASH_ENV` names. */
  exports(path: string, lines: string): Promise<void>;
  /** Records a directory before it is created, and the process that removes it. */
  privateDirectory(path: string, owner: Owner): Promise<void>;
}

/** A process, as in `effects/processes.ts`. Empty texts if processes cannot be listed. */
export interface Owner {
  readonly scope: string;
  readonly process: string;
}

/** The longest lifetime of a bot's certificates, for entries that do not say how long they are of use. */
export const MAX_JOB_MS = 7 * 24 * 60 * 60 * 1000;

const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

/**
 * Creates the file with the first entry. A run does not fail because of the manifest: its files are still usable.
 * @param warn called once if the manifest cannot be written
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
      // Starts with a newline, since a run that was killed may have left half a line.
      const lines = [...heading, ...added].map((entry) => `\n${JSON.stringify(entry)}\n`).join('');
      await files.appendText(join(directory, manifestName(environment)), ascii(lines));
      headed.add(directory);
    });
    if (failures === undefined || hasWarned) return;
    hasWarned = true;
    warn(
      `"cleanup" will not remove the files of this run, because the manifest cannot be written: ${failures.join('; ')}`,
    );
  };
  return {
    directory: (path) => append([{ directory: path }]),
    files: (planned, destination) =>
      append([...(destination === undefined ? [] : [{ destination }]), ...planned.map(fileEntry)]),
    socket: (path) => append([{ socket: path }]),
    exports: (path, lines) => append([{ exports: path, lines }]),
    privateDirectory: (path, { process, scope }) => append([{ private: path, scope, process }]),
  };
}

/**
 * Records a process in the background, in the first directory that can be written.
 * @returns why it could not be recorded; undefined if it was
 */
export async function recordBackground(
  files: Pick<Files, 'entry' | 'makeDirectory' | 'userId' | 'appendText'>,
  environment: Environment,
  entry: BackgroundEntry,
  writer: Writer,
): Promise<string | undefined> {
  const lines = [writerEntry(writer, environment), entry].map((one) => `\n${JSON.stringify(one)}\n`).join('');
  const { failures } = await inStateDirectory(files, environment, (directory) =>
    files.appendText(join(directory, manifestName(environment)), ascii(lines)),
  );
  return failures?.join('; ');
}

function writerEntry({ endsMs, processes, scope }: Writer, environment: Environment): ManifestEntry {
  return { job: environment.CIRCLE_WORKFLOW_JOB_ID ?? '', scope, processes: [...processes], endsMs };
}

function fileEntry({ awsProfile, contents, path, temporaries }: PlannedFile): ManifestEntry {
  const entry = { file: path, sha256: sha256Hex(contents), temporaries: [...temporaries] };
  return awsProfile === undefined ? entry : { ...entry, awsProfile };
}

/** Escapes non-ASCII characters: a partly written multi-byte character would make the whole file unreadable. */
function ascii(json: string): string {
  return json.replace(/[^\n -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export interface StoredManifest {
  readonly path: string;
  /** In the order in which they were written. */
  readonly entries: readonly ManifestEntry[];
}

/**
 * The manifests of this job, in any of the directories; empty if no run has written anything.
 * @throws MachineIdError CLEANUP_FAILED if one is not text, too long or cannot be opened
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

/** The manifests of this user's other jobs on this machine, and of other nodes of this job. Skips unreadable ones. */
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

/** The same manifest as it is now. */
export async function readAgain(files: Pick<Files, 'readText'>, { path }: StoredManifest): Promise<StoredManifest> {
  return { path, entries: parse(await readLines(files, path)) };
}

async function readLines(files: Pick<Files, 'readText'>, path: string): Promise<string> {
  try {
    return await files.readText(path, { maxBytes: MAX_MANIFEST_BYTES });
  } catch (cause) {
    throw new MachineIdError('CLEANUP_FAILED', `cannot read ${path}, the list of files that this job's runs wrote`, {
      hint: 'Remove the files that it lists by hand, then the list itself. The certificates expire by themselves.',
      cause,
    });
  }
}

/** Skips malformed lines: they were only partly written, before the files that they describe. */
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

/** One per job: a machine may run several jobs of one user, at once or in sequence. */
function manifestName(environment: Environment): string {
  return `written${jobSuffix(environment)}.jsonl`;
}

/** Makes names of files in the state directory those of this job: `-JOB-NODE`; empty outside a job. */
export function jobSuffix({ CIRCLE_WORKFLOW_JOB_ID: job = '', CIRCLE_NODE_INDEX: node = '0' }: Environment): string {
  const plain = /^[\w-]{1,80}$/;
  return plain.test(job) && plain.test(node) ? `-${job}-${node}` : '';
}

// The private directory in which the runs of a job keep state for later steps.

type StateFiles = Pick<Files, 'entry' | 'makeDirectory' | 'userId'>;

const WRITABLE_BY_OTHERS = 0o022;

/** In order of preference: the home directory may be missing or read-only. */
function stateDirectories({ HOME, TMPDIR }: Environment, userId: number | undefined): readonly string[] {
  const temporary = join(
    TMPDIR === undefined || TMPDIR === '' ? '/tmp' : TMPDIR,
    `teleport-machine-id-${userId ?? 'user'}`,
  );
  return HOME ? [join(HOME, '.teleport-machine-id'), temporary] : [temporary];
}

type StateOutcome<T> =
  | { readonly value: T; readonly failures?: undefined }
  /** Why none of the directories could be used, each with its path. */
  | { readonly value?: undefined; readonly failures: readonly string[] };

/**
 * Runs `work`, which writes, in the first directory where it succeeds: a disk may fill up or become read-only at any time.
 * Creates a missing directory, and does not use one that others may write to.
 */
export async function inStateDirectory<T>(
  files: StateFiles,
  environment: Environment,
  work: (directory: string) => Promise<T>,
): Promise<StateOutcome<T>> {
  const failures: string[] = [];
  for (const path of stateDirectories(environment, files.userId)) {
    try {
      await makeDirectory(files, path);
      if (!(await isPrivate(files, path))) throw new Error('it is not a directory that only this user can write to');
      return { value: await work(path) };
    } catch (error) {
      failures.push(`${path}: ${fileErrorText(error)}`);
    }
  }
  return { failures };
}

/** Whether no other user can have planted something there. */
async function isPrivate(files: Pick<Files, 'entry' | 'userId'>, path: string): Promise<boolean> {
  const entry = await files.entry(path);
  if (entry?.kind !== 'directory') return false;
  // Windows has neither owners nor these mode bits.
  return files.userId === undefined || (entry.userId === files.userId && (entry.mode & WRITABLE_BY_OTHERS) === 0);
}

async function makeDirectory(files: StateFiles, path: string): Promise<void> {
  try {
    await files.makeDirectory(path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}
