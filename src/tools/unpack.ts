/** Takes the wanted programs out of an archive of Teleport's, and nothing else. */
import type { ArchiveEntry } from './entry.ts';
import type { Platform } from './platform.ts';
import type { Tool } from './tool.ts';
import { corrupt } from './tool-error.ts';

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
const MOST_FILES = 1000;

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
    if (written.length === MOST_FILES) throw corrupt(`it has more than ${MOST_FILES} files for ${tools.join(', ')}`);
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
