/** Says what is wrong with a destination. */
import { errorCode, fileFault } from '../effects/file-error.ts';
import { MachineIdError } from '../errors.ts';

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
  return new MachineIdError('DESTINATION_UNWRITABLE', `cannot write to ${path}: ${fileFault(cause)}`, {
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
