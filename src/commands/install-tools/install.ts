/** Installs Teleport's programs into a private folder: all of the wanted ones, or none. */
import { createHash, randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Files } from '../../effects/files.ts';
import type { LargeFiles } from '../../effects/large-files.ts';
import { corrupt, gunzip, notInArchive, programOfBundle, type ToolFile, unpackTools } from './archive.ts';
import { download, type DownloadSettings } from './download.ts';
import {
  hasTools,
  type InstalledFile,
  makeFolder,
  type Manifest,
  prepareFolder,
  readInstalled,
  unwritable,
  writeInstalled,
} from './installed.ts';
import { archiveOf, type Release, releaseName, type Tool } from './release.ts';
import { tarEntries } from './tar.ts';
import { zipEntries } from './zip.ts';

export interface InstallRequest {
  readonly release: Release;
  readonly tools: readonly Tool[];
  /** https, without query; the archives are right below it. */
  readonly baseUrl: URL;
  /** Digest of the archive that must hold besides the published one. Hexadecimal, lower case. */
  readonly sha256: string | undefined;
  /** Absolute. */
  readonly directory: string;
}

interface InstallEffects {
  readonly files: Files;
  readonly largeFiles: LargeFiles;
  readonly download: Omit<DownloadSettings, 'maxBytes' | 'onProgress'>;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
}

export interface Installation {
  /** Folder with the programs. */
  readonly binDirectory: string;
  readonly source: 'download' | 'installed';
  readonly archiveUrl: URL;
  readonly archiveSha256: string;
}

/** The largest archive of Teleport's has a quarter of it. */
const MAX_ARCHIVE_BYTES = 1024 ** 3;

/**
 * Nothing is asked of the network when the programs are there already, and nothing is left when it fails.
 * @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE, and what downloading and unpacking throw
 */
export async function installTools(request: InstallRequest, effects: InstallEffects): Promise<Installation> {
  const { release, directory } = request;
  const folder = join(directory, releaseName(release));
  const archiveUrl = urlBelow(request.baseUrl, archiveOf(release).name);
  await prepareFolder(effects.files, directory);
  try {
    const before = await readInstalled(folder, effects);
    const there = before !== undefined && isSufficient(before, request) ? before : undefined;
    const after = there ?? (await fetchTools(request, archiveUrl, before, effects));
    await linkBundles(folder, after, effects);
    await writeInstalled(folder, after, effects.files);
    const source = there === undefined ? 'download' : 'installed';
    return { binDirectory: join(folder, 'bin'), source, archiveUrl, archiveSha256: after.archiveSha256 };
  } catch (error) {
    throw unwritable(directory, error);
  }
}

function isSufficient(manifest: Manifest, { tools, sha256 }: InstallRequest): boolean {
  return hasTools(manifest, tools) && (sha256 ?? manifest.archiveSha256) === manifest.archiveSha256;
}

/** @param before what of the release is there already */
async function fetchTools(
  { release, tools, sha256: pinned, directory }: InstallRequest,
  archiveUrl: URL,
  before: Manifest | undefined,
  effects: InstallEffects,
): Promise<Manifest> {
  const { files, largeFiles } = effects;
  const published = await publishedDigest(archiveUrl, effects.download);
  if (pinned !== undefined && pinned !== published) {
    throw corrupt(`the published SHA-256 is ${published}, the one that was asked for ${pinned}`);
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

/** Files have mode 0600 there: nothing can be started before the digest of the whole archive is known. */
async function unpackInto(
  staging: string,
  { release, tools }: Pick<InstallRequest, 'release' | 'tools'>,
  archiveUrl: URL,
  published: string,
  { files, largeFiles, download: settings, onProgress }: InstallEffects,
): Promise<readonly UnpackedFile[]> {
  const archiveHash = createHash('sha256');
  const parts = download(archiveUrl, { ...settings, maxBytes: MAX_ARCHIVE_BYTES, onProgress });
  const archive = hashed(parts, archiveHash);
  const entries = archiveOf(release).format === 'zip' ? zipEntries(archive) : tarEntries(gunzip(archive));
  const unpacked: UnpackedFile[] = [];
  await unpackTools(entries, { tools, platform: release.platform }, async (file, contents) => {
    const path = join(staging, file.path);
    const hash = createHash('sha256');
    await makeFolder(files, dirname(path));
    await largeFiles.write(path, hashed(contents, hash));
    unpacked.push({ ...file, sha256: hash.digest('hex') });
  });
  const actual = archiveHash.digest('hex');
  if (actual !== published) throw corrupt(`its SHA-256 is ${actual}, the published one ${published}`);
  const absent = tools.filter((tool) => !unpacked.some(({ path }) => isProgram(path, tool)));
  if (absent.length > 0) throw notInArchive(absent, archiveOf(release).name);
  return unpacked;
}

function isProgram(path: string, tool: Tool): boolean {
  return [`bin/${tool}`, `bin/${tool}.exe`, programOfBundle(tool)].includes(path);
}

async function* hashed(
  parts: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    hash.update(part);
    yield part;
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
    await makeFolder(files, dirname(target));
    if (executable) await files.setMode(join(staging, path), 0o700);
    await files.rename(join(staging, path), target);
    const stamp = await largeFiles.stamp(target);
    if (stamp !== undefined) placed.push({ tool, path, sha256, ...stamp });
  }
  return placed;
}

/** macOS finds the rest of a bundle by the path that a link in its place leads to. */
async function linkBundles(folder: string, { files: installed }: Manifest, { files, largeFiles }: InstallEffects) {
  for (const { tool } of installed.filter(({ path, tool }) => path === programOfBundle(tool))) {
    const link = join(folder, 'bin', tool);
    if ((await files.entry(link))?.kind === 'symlink') continue;
    await makeFolder(files, dirname(link));
    await files.remove(link);
    await largeFiles.linkTo(join('..', programOfBundle(tool)), link);
  }
}

function urlBelow(base: URL, name: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${name}`;
  return url;
}

// The SHA-256 that stands beside a file of a release.

const MAX_BYTES = 4096;

/**
 * Asks for `<url>.sha256`: the digest, and behind it, as sha256sum writes it, the name of the file.
 * @returns hexadecimal, lower case
 * @throws MachineIdError TOOLS_CORRUPT, and what downloading throws
 */
export async function publishedDigest(
  archiveUrl: URL,
  settings: Omit<DownloadSettings, 'maxBytes' | 'onProgress'>,
): Promise<string> {
  const url = new URL(archiveUrl);
  url.pathname += '.sha256';
  const parts: Uint8Array[] = [];
  for await (const part of download(url, { ...settings, maxBytes: MAX_BYTES })) parts.push(part);
  return parseDigest(Buffer.concat(parts).toString('latin1'), url.pathname);
}

function parseDigest(text: string, path: string): string {
  const [, digest, name] = /^\s*([0-9a-f]{64})(?:\s+\*?(\S+))?\s*$/i.exec(text) ?? [];
  if (digest === undefined) throw corrupt(`${path} holds no SHA-256`);
  const expected = path
    .split('/')
    .at(-1)
    ?.replace(/\.sha256$/, '');
  if (name !== undefined && name.split('/').at(-1) !== expected) throw corrupt(`${path} is about another file`);
  return digest.toLowerCase();
}
