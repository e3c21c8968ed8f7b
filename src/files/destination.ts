/** The path of a destination: rejects symbolic links in it, and explains why it cannot be written to. */
import { dirname, parse, sep } from 'node:path';
import { errorCode, fileErrorText } from '../effects/file-error.ts';
import type { FileEntry, Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';
import type { SymlinkMode } from '../schema/destination.ts';

type PathReader = Pick<Files, 'entry' | 'platform'>;

/**
 * A planted link could redirect the keys, so no component may be a link; `insecure` skips the check. Node has no openat2, so
 * a directory that is replaced between this check and the write is not detected.
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

/** On macOS, `/tmp` and `/var` are links of the system; tbot follows every link there. */
function isSystemLink({ platform }: PathReader, component: string, entry: FileEntry, mode: SymlinkMode): boolean {
  const belowRoot = dirname(component) === parse(component).root;
  return mode === 'try-secure' && platform === 'darwin' && belowRoot && entry.userId === 0;
}

/** The path and its parents, outermost first: `/a`, `/a/b`. */
export function components(path: string): string[] {
  const { root } = parse(path);
  const names = path
    .slice(root.length)
    .split(sep)
    .filter((name) => name !== '');
  return names.map((_name, at) => root + names.slice(0, at + 1).join(sep));
}

const NO_PERMISSION = ['EACCES', 'EPERM'];

const HINTS: Readonly<Record<string, string>> = {
  EDQUOT: 'Free disk space there, or use a destination on another file system.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
  ENFILE: 'Raise the limit of open files (ulimit -n).',
  ENOSPC: 'Free disk space there, or use a destination on another file system.',
  EROFS: 'Use a destination on a writable file system.',
};

/** Turns a file system error into one that names the destination; returns a MachineIdError unchanged. */
export function unwritable(path: string, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const code = errorCode(cause);
  if (code !== undefined && NO_PERMISSION.includes(code)) {
    return new MachineIdError('DESTINATION_UNWRITABLE', `no permission to write to ${path} (${code})`, {
      hint: "Use a destination that this job's user may write to, for example below the home directory.",
      cause,
    });
  }
  return new MachineIdError('DESTINATION_UNWRITABLE', `cannot write to ${path}: ${fileErrorText(cause)}`, {
    hint: HINTS[code ?? ''] ?? "Check the path, the disk space and the permissions of this job's user.",
    cause,
  });
}

/** Something else is where a directory or file of ours should be. */
export function occupied(path: string, expected: 'directory' | 'file'): MachineIdError {
  return new MachineIdError('DESTINATION_UNWRITABLE', `Path "${path}" already exists and is not a ${expected}`, {
    hint: 'Use another path for the destination, or remove what is there.',
  });
}

export function linkRefused(link: string, destination: string): MachineIdError {
  return new MachineIdError('DESTINATION_UNSAFE', `${link} is a symbolic link (destination ${destination})`, {
    hint: 'Use the real path of the destination and remove links in it, or set "symlinks: insecure" if the link is intended.',
  });
}

export function unusablePath(path: string): MachineIdError {
  return new MachineIdError(
    'DESTINATION_UNSAFE',
    `the path of the destination contains a control character: ${JSON.stringify(path)}`,
    { hint: 'Use a path without newlines, tabs and other control characters: ssh_config cannot contain them.' },
  );
}

/** A file of an output, rendered but not yet written. */
export interface OutputFile {
  /** Relative to the destination, in it or in a folder of it: `cockroach/ca.crt`. */
  readonly name: string;
  readonly contents: string | Uint8Array;
  /** For an AWS credentials file, which may contain other profiles too: the name of our profile. */
  readonly awsProfile?: string;
}
