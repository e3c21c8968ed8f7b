/** Installs Teleport's programs into a private directory: all requested ones or none. */
import { createHash, randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Files } from '../../effects/files.ts';
import type { LargeFiles } from '../../effects/large-files.ts';
import { corrupt, gunzip, notInArchive, programOfBundle, type ToolFile, unpackTools } from './archive.ts';
import { makeDirectories, prepareDirectory, unwritable } from './directory.ts';
import { download, type DownloadSettings } from './download.ts';
import { hasTools, type InstalledFile, type Manifest, readInstalled, writeInstalled } from './installed.ts';
import { archiveOf, type Release, releaseName, type Tool } from './release.ts';
import { tarEntries } from './tar.ts';
import { zipEntries } from './zip.ts';

export interface InstallRequest {
  readonly release: Release;
  readonly tools: readonly Tool[];
  /** An https URL without a query; the archives are directly below it. */
  readonly baseUrl: URL;
  /** Expected digest of the archive, in addition to the published one. Hexadecimal, lower case. */
  readonly sha256: string | undefined;
  /** An absolute path. */
  readonly directory: string;
}

interface InstallEffects {
  readonly files: Files;
  readonly largeFiles: LargeFiles;
  readonly download: Omit<DownloadSettings, 'maxBytes' | 'onProgress'>;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
}

export interface Installation {
  /** The directory of the programs. */
  readonly binDirectory: string;
  readonly source: 'download' | 'installed';
  readonly archiveUrl: URL;
  readonly archiveSha256: string;
}

/** Four times the size of Teleport's largest archive. */
const MAX_ARCHIVE_BYTES = 1024 ** 3;

/**
 * Uses no network if the programs are already installed. Leaves no files behind on failure.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE, and the errors of downloading and unpacking
 */
export async function installTools(request: InstallRequest, effects: InstallEffects): Promise<Installation> {
  const { release, directory } = request;
  const folder = join(directory, releaseName(release));
  const archiveUrl = urlBelow(request.baseUrl, archiveOf(release).name);
  await prepareDirectory(effects.files, directory);
  try {
    const before = await readInstalled(folder, effects);
    const existing = before !== undefined && isSufficient(before, request) ? before : undefined;
    const after = existing ?? (await fetchTools(request, archiveUrl, before, effects));
    await linkBundles(folder, after, effects);
    await writeInstalled(folder, after, effects.files);
    const source = existing === undefined ? 'download' : 'installed';
    return { binDirectory: join(folder, 'bin'), source, archiveUrl, archiveSha256: after.archiveSha256 };
  } catch (error) {
    throw unwritable(directory, error);
  }
}

function isSufficient(manifest: Manifest, { tools, sha256 }: InstallRequest): boolean {
  return hasTools(manifest, tools) && (sha256 ?? manifest.archiveSha256) === manifest.archiveSha256;
}

/** @param before what is already installed of the release */
async function fetchTools(
  { release, tools, sha256: pinned, directory }: InstallRequest,
  archiveUrl: URL,
  before: Manifest | undefined,
  effects: InstallEffects,
): Promise<Manifest> {
  const { files, largeFiles } = effects;
  const published = await publishedDigest(archiveUrl, effects.download);
  if (pinned !== undefined && pinned !== published) {
    throw corrupt(`the published SHA-256 is ${published}, expected ${pinned}`);
  }
  const staging = join(directory, `.incoming-${randomUUID()}`);
  try {
    await files.makeDirectory(staging);
    const unpacked = await unpackInto(staging, { release, tools }, archiveUrl, published, effects);
    const placed = await moveIntoPlace(staging, join(directory, releaseName(release)), unpacked, effects);
    const kept = before?.archiveSha256 === published ? before.files : [];
    return { archiveSha256: published, files: [...kept.filter(({ tool }) => !tools.includes(tool)), ...placed] };
  } finally {
    await largeFiles.removeFolder(staging);
  }
}

interface UnpackedFile extends ToolFile {
  readonly sha256: string;
}

/** Files have mode 0600 here: nothing can be executed before the digest of the whole archive is verified. */
async function unpackInto(
  staging: string,
  { release, tools }: Pick<InstallRequest, 'release' | 'tools'>,
  archiveUrl: URL,
  published: string,
  { files, largeFiles, download: settings, onProgress }: InstallEffects,
): Promise<readonly UnpackedFile[]> {
  const archiveHash = createHash('sha256');
  const chunks = download(archiveUrl, { ...settings, maxBytes: MAX_ARCHIVE_BYTES, onProgress });
  const archive = hashed(chunks, archiveHash);
  const entries = archiveOf(release).format === 'zip' ? zipEntries(archive) : tarEntries(gunzip(archive));
  const unpacked: UnpackedFile[] = [];
  await unpackTools(entries, { tools, platform: release.platform }, async (file, contents) => {
    const path = join(staging, file.path);
    const hash = createHash('sha256');
    await makeDirectories(files, dirname(path));
    await largeFiles.write(path, hashed(contents, hash));
    unpacked.push({ ...file, sha256: hash.digest('hex') });
  });
  const actual = archiveHash.digest('hex');
  if (actual !== published) throw corrupt(`its SHA-256 is ${actual}, but the published one is ${published}`);
  const absent = tools.filter((tool) => !unpacked.some(({ path }) => isProgram(path, tool)));
  if (absent.length > 0) throw notInArchive(absent, archiveOf(release).name);
  return unpacked;
}

function isProgram(path: string, tool: Tool): boolean {
  return [`bin/${tool}`, `bin/${tool}.exe`, programOfBundle(tool)].includes(path);
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function moveIntoPlace(
  staging: string,
  folder: string,
  unpacked: readonly UnpackedFile[],
  { files, largeFiles }: InstallEffects,
): Promise<readonly InstalledFile[]> {
  const placed: InstalledFile[] = [];
  for (const { tool, path, executable, sha256 } of unpacked) {
    const target = join(folder, path);
    await makeDirectories(files, dirname(target));
    if (executable) await files.setMode(join(staging, path), 0o700);
    await files.rename(join(staging, path), target);
    const stamp = await largeFiles.stamp(target);
    if (stamp !== undefined) placed.push({ tool, path, sha256, ...stamp });
  }
  return placed;
}

/** Links `bin/TOOL` to the program in its bundle: macOS finds the rest of a bundle by following the link. */
async function linkBundles(folder: string, { files: installed }: Manifest, { files, largeFiles }: InstallEffects) {
  for (const { tool } of installed.filter(({ path, tool }) => path === programOfBundle(tool))) {
    const link = join(folder, 'bin', tool);
    if ((await files.entry(link))?.kind === 'symlink') continue;
    await makeDirectories(files, dirname(link));
    await files.remove(link);
    await largeFiles.linkTo(join('..', programOfBundle(tool)), link);
  }
}

function urlBelow(base: URL, name: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${name}`;
  return url;
}

const MAX_BYTES = 4096;

/**
 * Downloads `<url>.sha256`, in the format of sha256sum: the digest, followed by the name of the file.
 * @returns hexadecimal, lower case
 * @throws MachineIdError TOOLS_CORRUPT, and the errors of `download`
 */
export async function publishedDigest(
  archiveUrl: URL,
  settings: Omit<DownloadSettings, 'maxBytes' | 'onProgress'>,
): Promise<string> {
  const url = new URL(archiveUrl);
  url.pathname += '.sha256';
  const chunks: Uint8Array[] = [];
  for await (const chunk of download(url, { ...settings, maxBytes: MAX_BYTES })) chunks.push(chunk);
  return parseDigest(Buffer.concat(chunks).toString('latin1'), url.pathname);
}

function parseDigest(text: string, path: string): string {
  const [, digest, name] = /^\s*([0-9a-f]{64})(?:\s+\*?(\S+))?\s*$/i.exec(text) ?? [];
  if (digest === undefined) throw corrupt(`${path} contains no SHA-256`);
  const expected = path
    .split('/')
    .at(-1)
    ?.replace(/\.sha256$/, '');
  if (name !== undefined && name.split('/').at(-1) !== expected) throw corrupt(`${path} is for another file`);
  return digest.toLowerCase();
}
