/** Walks a destination's path and refuses the symbolic links in it. */
import { dirname, parse, sep } from 'node:path';
import type { FileEntry, Files } from '../effects/files.ts';
import type { SymlinkMode } from './destination.ts';
import { linkRefused } from './destination-error.ts';

export type PathReader = Pick<Files, 'entry' | 'platform'>;

/**
 * A planted link could send the keys elsewhere, so no component may be a link; `insecure` checks none.
 * Node has no openat2, so a directory that is swapped between this check and the write is not noticed.
 * @param path absolute
 * @throws MachineIdError DESTINATION_UNSAFE
 */
export async function refuseSymlinks(files: PathReader, path: string, mode: SymlinkMode): Promise<void> {
  if (mode === 'insecure') return;
  for (const component of components(path)) {
    const entry = await files.entry(component);
    if (entry === undefined) return;
    if (entry.kind === 'symlink' && !isSystemLink(files, component, entry, mode)) throw linkRefused(component, path);
  }
}

/** `/tmp` and `/var` of macOS are links of the system; tbot follows every link there. */
function isSystemLink({ platform }: PathReader, component: string, entry: FileEntry, mode: SymlinkMode): boolean {
  const belowRoot = dirname(component) === parse(component).root;
  return mode === 'try-secure' && platform === 'darwin' && belowRoot && entry.userId === 0;
}

/** Every path on the way, outermost first: `/a`, `/a/b`. */
export function components(path: string): string[] {
  const { root } = parse(path);
  const names = path
    .slice(root.length)
    .split(sep)
    .filter((name) => name !== '');
  return names.map((_name, at) => root + names.slice(0, at + 1).join(sep));
}
