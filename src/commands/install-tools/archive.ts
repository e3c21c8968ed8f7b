/** Takes the wanted programs out of an archive of Teleport's, and nothing else. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MachineIdError } from '../../errors.ts';
import type { Platform, Tool } from './release.ts';

/** A file that belongs to a program. */
export interface ToolFile {
  readonly tool: Tool;
  /** Below the folder of the release, with `/`: `bin/tsh`, `tsh.app/Contents/Info.plist`. */
  readonly path: string;
  readonly executable: boolean;
}

/** No program of Teleport's has a quarter of it. */
const MAX_FILE_BYTES = 1024 ** 3;
const MAX_TOTAL_BYTES = 4 * MAX_FILE_BYTES;
/** A Mac's bundle has a dozen. */
const MAX_FILES = 1000;

/**
 * Writes the files of the wanted programs, in the archive's order. The archive is read to its end.
 * @throws MachineIdError TOOLS_CORRUPT for a path that leads out of the archive, a link or a device in a program's
 *   place, a second entry of one name, more bytes or files than any release has; and what reading and writing throw
 */
export async function unpackTools(
  entries: AsyncIterable<ArchiveEntry>,
  { tools, platform }: { readonly tools: readonly Tool[]; readonly platform: Platform },
  write: (file: ToolFile, contents: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<readonly ToolFile[]> {
  const written: ToolFile[] = [];
  let totalBytes = 0;
  for await (const { path, kind, contents } of entries) {
    refuseUnsafe(path);
    if (kind === 'directory') continue;
    const file = toolFile(path, tools, platform);
    if (file === undefined) continue;
    if (kind !== 'file') throw corrupt(`${shown(path)} is a link or a device`);
    if (written.length === MAX_FILES) throw corrupt(`it has more than ${MAX_FILES} files for ${tools.join(', ')}`);
    if (written.some((one) => collide(one, file))) throw corrupt(`${shown(path)} is in it twice`);
    await write(
      file,
      counted(contents, (length, fileBytes) => {
        totalBytes += length;
        if (fileBytes > MAX_FILE_BYTES || totalBytes > MAX_TOTAL_BYTES) {
          throw corrupt(`${shown(path)} is larger than any program of Teleport's`);
        }
      }),
    );
    written.push(file);
  }
  return written;
}

/** Nothing is ever written by such a path; but an archive with one was made by an attacker. */
function refuseUnsafe(path: string): void {
  const absolute = path.startsWith('/') || /^[a-z]:/i.test(path);
  if (absolute || path.split(/[/\\]/).includes('..') || /[\\\p{Cc}]/u.test(path)) {
    throw corrupt(`${shown(path)} leads out of it`);
  }
}

/** The archives hold their files in a folder `teleport` or `teleport-ent`; those for Windows, in none. */
function toolFile(path: string, tools: readonly Tool[], { system }: Platform): ToolFile | undefined {
  const inside = path.replace(/^(\.\/)*(teleport(-ent)?\/)?/, '');
  const suffix = system === 'windows' ? '.exe' : '';
  for (const tool of tools) {
    if (inside === `${tool}${suffix}`) return { tool, path: `bin/${inside}`, executable: true };
    // On a Mac, what is signed since Teleport 17 is a bundle: the program does not start without the rest of it.
    if (system === 'darwin' && inside.startsWith(`${tool}.app/`)) {
      return { tool, path: inside, executable: inside === programOfBundle(tool) };
    }
  }
  return undefined;
}

/** A program that is there bare and as a bundle would be there twice too. */
function collide(one: ToolFile, other: ToolFile): boolean {
  return one.path === other.path || (one.tool === other.tool && isBare(one) !== isBare(other));
}

function isBare({ path }: ToolFile): boolean {
  return path.startsWith('bin/');
}

/** Where a Mac's bundle has the program itself. */
export function programOfBundle(tool: Tool): string {
  return `${tool}.app/Contents/MacOS/${tool}`;
}

async function* counted(
  parts: AsyncIterable<Uint8Array>,
  onPart: (length: number, soFar: number) => void,
): AsyncGenerator<Uint8Array> {
  let soFar = 0;
  for await (const part of parts) {
    soFar += part.length;
    onPart(part.length, soFar);
    yield part;
  }
}

/** The name is whatever the archive says. */
function shown(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}

// Unpacks gzip (RFC 1952) as it comes.

const CHUNK_BYTES = 64 * 1024;

/** @throws MachineIdError TOOLS_CORRUPT, and what `portions` throws */
export async function* gunzip(portions: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(portions);
  const unpacked: AsyncIterable<Uint8Array> = pipeline(source, createGunzip({ chunkSize: CHUNK_BYTES }), () => {
    // The iteration below throws the same error.
  });
  try {
    yield* unpacked;
  } catch (error) {
    throw error instanceof MachineIdError ? error : corrupt('its gzip is broken', error);
  }
  // The end of gzip is not yet the end of what came, which the digest is taken of.
  if (!source.readableEnded) throw corrupt('something follows the end of its gzip');
}

// What the readers of archives hand out.

export interface ArchiveEntry {
  /** As it stands in the archive: nothing about it is checked yet. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Of a file; to be read to its end before the next entry is asked for, or not at all. */
  readonly contents: AsyncIterable<Uint8Array>;
}

// Why Teleport's programs could not be installed.

/** What came is not what was published, or is nothing that may be unpacked. */
export function corrupt(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('TOOLS_CORRUPT', `the archive of Teleport's programs is refused: ${detail}`, {
    hint: 'Nothing was installed. Run the job again; when it stays, look at the mirror or the proxy that the archive came through.',
    cause,
  });
}

export function notInArchive(tools: readonly string[], archive: string): MachineIdError {
  return new MachineIdError('TOOLS_UNAVAILABLE', `${archive} holds no ${tools.join(' and no ')}`, {
    hint: 'Releases differ: teleport-update came with Teleport 17, tctl.exe with 16, tbot.exe with 17.4. Choose another version, or leave the program out.',
  });
}
