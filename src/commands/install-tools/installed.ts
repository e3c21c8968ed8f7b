/** What is installed already, by the list that the last installation of a release has left. */
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';
import { errorCode, fileErrorText } from '../../effects/file-error.ts';
import type { Files } from '../../effects/files.ts';
import type { LargeFiles } from '../../effects/large-files.ts';
import { MachineIdError } from '../../errors.ts';
import { type Tool, TOOLS } from './release.ts';

const StoredFile = z.strictObject({
  tool: z.enum(TOOLS),
  path: z.string().check(z.regex(/^(?!.*(^|\/)\.\.(\/|$))[\w.][\w./-]*$/)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  sizeBytes: z.number(),
  changedAtMs: z.number(),
});

const Manifest = z.strictObject({ archiveSha256: z.string(), files: z.array(StoredFile) });

/** `path` is below the folder of the release, with `/`. */
export type InstalledFile = z.infer<typeof StoredFile>;
export type Manifest = z.infer<typeof Manifest>;

const NAME = 'installed.json';
const MAX_MANIFEST_BYTES = 1024 * 1024;
const NO_LIST = ['ENOENT', 'ENOTDIR', 'ERR_ENCODING_INVALID_ENCODED_DATA'];

/**
 * The list, reduced to the programs whose files are what they were. A file that was neither written nor moved since it
 * was last looked at is taken as unchanged; any other, such as one from a cache, is read.
 * @param folder of the release
 * @returns undefined when there is none that can be read
 */
export async function readInstalled(
  folder: string,
  { files, largeFiles }: { readonly files: Pick<Files, 'readText'>; readonly largeFiles: LargeFiles },
): Promise<Manifest | undefined> {
  const manifest = await readManifest(join(folder, NAME), files);
  if (manifest === undefined) return undefined;
  const looked = await Promise.all(manifest.files.map((file) => inspectFile(folder, file, largeFiles)));
  const broken = new Set(manifest.files.filter((_, at) => looked[at] === undefined).map(({ tool }) => tool));
  const whole = looked.filter((file) => file !== undefined && !broken.has(file.tool));
  return { archiveSha256: manifest.archiveSha256, files: whole.filter((file) => file !== undefined) };
}

/** Whether each program is there. */
export function hasTools(manifest: Manifest, tools: readonly Tool[]): boolean {
  return tools.every((tool) => manifest.files.some((file) => file.tool === tool));
}

export async function writeInstalled(
  folder: string,
  manifest: Manifest,
  files: Pick<Files, 'createFile' | 'rename' | 'remove'>,
): Promise<void> {
  const temporary = join(folder, `.${NAME}`);
  await files.remove(temporary);
  await files.createFile(temporary, `${JSON.stringify(manifest, undefined, 2)}\n`);
  await files.rename(temporary, join(folder, NAME));
}

async function readManifest(path: string, files: Pick<Files, 'readText'>): Promise<Manifest | undefined> {
  try {
    return z.safeParse(Manifest, JSON.parse(await files.readText(path, { maxBytes: MAX_MANIFEST_BYTES }))).data;
  } catch (error) {
    // Missing, no text, too long or no JSON: the programs are then installed again. A disk that cannot be read is another
    // matter.
    const code = errorCode(error);
    if (code === undefined || NO_LIST.includes(code)) return undefined;
    throw error;
  }
}

async function inspectFile(
  folder: string,
  file: InstalledFile,
  largeFiles: LargeFiles,
): Promise<InstalledFile | undefined> {
  const path = join(folder, file.path);
  const stamp = await largeFiles.stamp(path);
  if (stamp?.sizeBytes !== file.sizeBytes) return undefined;
  if (stamp.changedAtMs === file.changedAtMs) return file;
  return (await largeFiles.sha256(path)) === file.sha256 ? { ...file, ...stamp } : undefined;
}

// The private folder that Teleport's programs are installed into.

const WRITABLE_BY_OTHERS = 0o022;

type FolderFiles = Pick<Files, 'entry' | 'makeDirectory' | 'userId'>;

/**
 * Makes what is missing of the path, each folder 0700, and refuses one in which others could swap a program.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE
 */
export async function prepareFolder(files: FolderFiles, path: string): Promise<void> {
  try {
    await makeFolder(files, path);
  } catch (error) {
    throw unwritable(path, error);
  }
  const entry = await files.entry(path);
  // Windows has neither owners nor such bits.
  const own = files.userId === undefined || entry?.userId === files.userId;
  const others = files.userId !== undefined && ((entry?.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0;
  if (entry?.kind === 'directory' && own && !others) return;
  throw new MachineIdError(
    'DESTINATION_UNSAFE',
    `${path} belongs to another user, is a link, or others may write to it`,
    {
      hint: 'Give the path of a folder of your own with --dir (orb parameter tools_dir).',
    },
  );
}

/** A folder that stands already is left as it is. */
export async function makeFolder(files: Pick<FolderFiles, 'makeDirectory'>, path: string): Promise<void> {
  try {
    await files.makeDirectory(path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(files, dirname(path));
    await makeFolder(files, path);
  }
}

/** @param error one of Node's; any other error passes through as it is */
export function unwritable(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof MachineIdError || code === undefined) return error;
  return new MachineIdError(
    'DESTINATION_UNWRITABLE',
    `Teleport's programs cannot be installed into ${path}: ${fileErrorText(error)}`,
    {
      hint: 'Give a folder that this user may write to, with some hundred megabytes of room, with --dir (orb parameter tools_dir).',
      cause: error,
    },
  );
}
