/** Walks a destination's path and refuses the symbolic links in it. */
import { dirname, parse, sep } from 'node:path';
import { errorCode, fileErrorText } from '../effects/file-error.ts';
import type { FileEntry, Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';
import type { SymlinkMode } from '../schema/destination.ts';

type PathReader = Pick<Files, 'entry' | 'platform'>;

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

// Says what is wrong with a destination.

const NO_PERMISSION = ['EACCES', 'EPERM'];

const HINTS: Readonly<Record<string, string>> = {
  EDQUOT: 'Free space there, or give a destination on another file system.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
  ENFILE: 'Raise the limit of open files (ulimit -n).',
  ENOSPC: 'Free space there, or give a destination on another file system.',
  EROFS: 'Give a destination on a file system that may be written to.',
};

/** A file system error becomes one that names the destination; a MachineIdError passes through. */
export function unwritable(path: string, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const code = errorCode(cause);
  if (code !== undefined && NO_PERMISSION.includes(code)) {
    return new MachineIdError('DESTINATION_UNWRITABLE', `there is no permission to write to ${path} (${code})`, {
      hint: 'Give a destination that the user of this job may write to, below the home directory for example.',
      cause,
    });
  }
  return new MachineIdError('DESTINATION_UNWRITABLE', `cannot write to ${path}: ${fileErrorText(cause)}`, {
    hint: HINTS[code ?? ''] ?? 'Check the path, the space on the disk and the rights of the user of this job.',
    cause,
  });
}

/** Something else stands where a directory or a file of ours should be. */
export function occupied(path: string, expected: 'directory' | 'file'): MachineIdError {
  return new MachineIdError('DESTINATION_UNWRITABLE', `Path "${path}" already exists and is not a ${expected}`, {
    hint: 'Give the destination another path, or remove what stands there.',
  });
}

export function linkRefused(link: string, destination: string): MachineIdError {
  return new MachineIdError('DESTINATION_UNSAFE', `${link} is a symbolic link, in the destination ${destination}`, {
    hint: 'Give the destination by its real path and remove links in it, or set symlinks: insecure when the link is meant.',
  });
}

export function unusablePath(path: string): MachineIdError {
  return new MachineIdError(
    'DESTINATION_UNSAFE',
    `the path of the destination holds a control character: ${JSON.stringify(path)}`,
    { hint: 'Give a path without line breaks, tabs and the like: ssh_config has no way to write them.' },
  );
}

// A file that an output consists of, rendered but not yet written.

export interface OutputFile {
  /** In the destination itself, or in one folder of it: `cockroach/ca.crt`. */
  readonly name: string;
  readonly contents: string | Uint8Array;
  /** The one profile of ours in a credentials file of AWS, which holds those of others too. */
  readonly awsProfile?: string;
}
