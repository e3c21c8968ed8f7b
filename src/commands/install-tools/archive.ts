/** Extracts the requested programs from an archive of a Teleport release, and nothing else. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MachineIdError } from '../../errors.ts';
import type { Platform, Tool } from './release.ts';

/** A file that belongs to a program. */
export interface ToolFile {
  readonly tool: Tool;
  /** Relative to the directory of the release, with `/`: `bin/tsh`, `tsh.app/Contents/Info.plist`. */
  readonly path: string;
  readonly executable: boolean;
}

/** Four times the size of Teleport's largest program. */
const MAX_FILE_BYTES = 1024 ** 3;
const MAX_TOTAL_BYTES = 4 * MAX_FILE_BYTES;
/** A macOS bundle has about a dozen. */
const MAX_FILES = 1000;

/**
 * Writes the files of the requested programs, in the order of the archive, and reads the archive to its end.
 * @throws MachineIdError TOOLS_CORRUPT for a path outside of the archive, a link or a device instead of a program, a
 *   duplicate entry, and more bytes or files than any release has; and the errors of reading and writing
 */
export async function unpackTools(
  entries: AsyncIterable<ArchiveEntry>,
  { tools, platform }: { readonly tools: readonly Tool[]; readonly platform: Platform },
  write: (file: ToolFile, contents: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<readonly ToolFile[]> {
  const written: ToolFile[] = [];
  let totalBytes = 0;
  for await (const { path, kind, contents } of entries) {
    rejectUnsafePath(path);
    if (kind === 'directory') continue;
    const file = toolFile(path, tools, platform);
    if (file === undefined) continue;
    if (kind !== 'file') throw corrupt(`${quoted(path)} is a link or a device`);
    if (written.length === MAX_FILES) throw corrupt(`it has more than ${MAX_FILES} files for ${tools.join(', ')}`);
    if (written.some((one) => collide(one, file))) throw corrupt(`${quoted(path)} is a duplicate entry`);
    await write(
      file,
      counted(contents, (length, fileBytes) => {
        totalBytes += length;
        if (fileBytes > MAX_FILE_BYTES || totalBytes > MAX_TOTAL_BYTES) {
          throw corrupt(`${quoted(path)} is larger than any program of Teleport`);
        }
      }),
    );
    written.push(file);
  }
  return written;
}

/** Such a path is never used for writing, but only an attacker's archive contains one. */
function rejectUnsafePath(path: string): void {
  const absolute = path.startsWith('/') || /^[a-z]:/i.test(path);
  if (absolute || path.split(/[/\\]/).includes('..') || /[\\\p{Cc}]/u.test(path)) {
    throw corrupt(`${quoted(path)} points outside of the archive`);
  }
}

/** The archives have a top directory `teleport` or `teleport-ent`; those for Windows have none. */
function toolFile(path: string, tools: readonly Tool[], { system }: Platform): ToolFile | undefined {
  const inside = path.replace(/^(\.\/)*(teleport(-ent)?\/)?/, '');
  const suffix = system === 'windows' ? '.exe' : '';
  for (const tool of tools) {
    if (inside === `${tool}${suffix}`) return { tool, path: `bin/${inside}`, executable: true };
    // On macOS, signed programs are bundles since Teleport 17, and do not start without the rest of the bundle.
    if (system === 'darwin' && inside.startsWith(`${tool}.app/`)) {
      return { tool, path: inside, executable: inside === programOfBundle(tool) };
    }
  }
  return undefined;
}

/** A program both as a single file and as a bundle is a duplicate too. */
function collide(one: ToolFile, other: ToolFile): boolean {
  return one.path === other.path || (one.tool === other.tool && isBare(one) !== isBare(other));
}

function isBare({ path }: ToolFile): boolean {
  return path.startsWith('bin/');
}

/** The path of the program in its macOS bundle. */
export function programOfBundle(tool: Tool): string {
  return `${tool}.app/Contents/MacOS/${tool}`;
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (length: number, totalLength: number) => void,
): AsyncGenerator<Uint8Array> {
  let totalLength = 0;
  for await (const chunk of chunks) {
    totalLength += chunk.length;
    onChunk(chunk.length, totalLength);
    yield chunk;
  }
}

/** Quotes a name from the archive, which can be anything. */
function quoted(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}

const CHUNK_BYTES = 64 * 1024;

/**
 * Decompresses a gzip stream (RFC 1952).
 * @throws MachineIdError TOOLS_CORRUPT, and the errors of `chunks`
 */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks);
  const unpacked: AsyncIterable<Uint8Array> = pipeline(source, createGunzip({ chunkSize: CHUNK_BYTES }), () => {
    // The iteration below throws the same error.
  });
  try {
    yield* unpacked;
  } catch (error) {
    throw error instanceof MachineIdError ? error : corrupt('its gzip data is invalid', error);
  }
  // The digest covers all received bytes, so bytes after the end of the gzip data must not go unread.
  if (!source.readableEnded) throw corrupt('it has data after the end of its gzip data');
}

/** One entry, as the readers of archives return it. */
export interface ArchiveEntry {
  /** Not checked yet. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Must be read to its end before the next entry is requested, or not at all. */
  readonly contents: AsyncIterable<Uint8Array>;
}

/** The received archive is not the published one, or is unsafe to unpack. */
export function corrupt(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('TOOLS_CORRUPT', `the archive of Teleport's programs is rejected: ${detail}`, {
    hint: 'Run the job again; nothing was installed. If the error persists, check the mirror or the proxy that the archive came through.',
    cause,
  });
}

export function notInArchive(tools: readonly string[], archive: string): MachineIdError {
  return new MachineIdError('TOOLS_UNAVAILABLE', `${archive} does not contain ${tools.join(' and ')}`, {
    hint: 'Choose another version, or leave the program out: teleport-update exists since Teleport 17, tctl.exe since 16, tbot.exe since 17.4.',
  });
}
