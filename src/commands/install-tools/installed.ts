/** The list of installed files, which the last installation of a release wrote. */
import { join } from 'node:path';
import * as z from 'zod/mini';
import { errorCode } from '../../effects/file-error.ts';
import type { Files } from '../../effects/files.ts';
import type { LargeFiles } from '../../effects/large-files.ts';
import { type Tool, TOOLS } from './release.ts';

const StoredFile = z.strictObject({
  tool: z.enum(TOOLS),
  path: z.string().check(z.regex(/^(?!.*(^|\/)\.\.(\/|$))[\w.][\w./-]*$/)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  sizeBytes: z.number(),
  changedAtMs: z.number(),
});

const Manifest = z.strictObject({ archiveSha256: z.string(), files: z.array(StoredFile) });

/** `path` is relative to the directory of the release, with `/`. */
export type InstalledFile = z.infer<typeof StoredFile>;
export type Manifest = z.infer<typeof Manifest>;

const NAME = 'installed.json';
const MAX_MANIFEST_BYTES = 1024 * 1024;
const UNREADABLE = ['ENOENT', 'ENOTDIR', 'ERR_ENCODING_INVALID_ENCODED_DATA'];

/**
 * Reads the list and drops programs whose files have changed. A file with the recorded size and time counts as unchanged;
 * a file with another time, such as one from a cache, is hashed.
 * @param folder the directory of the release
 * @returns undefined if there is no valid list
 */
export async function readInstalled(
  folder: string,
  { files, largeFiles }: { readonly files: Pick<Files, 'readText'>; readonly largeFiles: LargeFiles },
): Promise<Manifest | undefined> {
  const manifest = await readManifest(join(folder, NAME), files);
  if (manifest === undefined) return undefined;
  const inspected = await Promise.all(manifest.files.map((file) => inspectFile(folder, file, largeFiles)));
  const broken = new Set(manifest.files.filter((_, at) => inspected[at] === undefined).map(({ tool }) => tool));
  const intact = inspected.filter((file) => file !== undefined).filter(({ tool }) => !broken.has(tool));
  return { archiveSha256: manifest.archiveSha256, files: intact };
}

/** Whether every one of the programs is installed. */
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
    // If the list is missing, too long, or not valid text or JSON, the programs are installed again. Other errors of the
    // disk are failures.
    const code = errorCode(error);
    if (code === undefined || UNREADABLE.includes(code)) return undefined;
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
