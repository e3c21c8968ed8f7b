/** What is installed already, by the list that the last installation of a release has left. */
import { join } from 'node:path';
import * as z from 'zod/mini';
import { errorCode } from '../effects/file-error.ts';
import type { Files } from '../effects/files.ts';
import type { LargeFiles } from '../effects/large-files.ts';
import { TOOLS, type Tool } from './tool.ts';

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
  const looked = await Promise.all(manifest.files.map((file) => look(folder, file, largeFiles)));
  const broken = new Set(manifest.files.filter((_, at) => looked[at] === undefined).map(({ tool }) => tool));
  const whole = looked.filter((file) => file !== undefined && !broken.has(file.tool));
  return { archiveSha256: manifest.archiveSha256, files: whole.filter((file) => file !== undefined) };
}

/** Whether each program is there. */
export function holds(manifest: Manifest, tools: readonly Tool[]): boolean {
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

async function look(folder: string, file: InstalledFile, largeFiles: LargeFiles): Promise<InstalledFile | undefined> {
  const path = join(folder, file.path);
  const stamp = await largeFiles.stamp(path);
  if (stamp?.sizeBytes !== file.sizeBytes) return undefined;
  if (stamp.changedAtMs === file.changedAtMs) return file;
  return (await largeFiles.sha256(path)) === file.sha256 ? { ...file, ...stamp } : undefined;
}
