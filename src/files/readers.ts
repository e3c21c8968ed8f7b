/** Grants other users read access to a destination with POSIX access control lists. */
import type { Commands } from '../effects/programs.ts';
import { MachineIdError } from '../errors.ts';
import type { DirectoryDestination, Reader } from '../schema/destination.ts';

const LIMITS = { timeoutMs: 10_000, maxBytes: 64 * 1024 };

/**
 * Runs `setfacl` on files before they get their real names, so that no file ever has too many or too few readers.
 * @returns warnings, if `acls` is `try`
 * @throws MachineIdError DESTINATION_UNWRITABLE if it fails and `acls` is `required`
 */
export async function grantReaders(
  commands: Commands,
  { acls, readers }: DirectoryDestination,
  [directory, ...folders]: readonly [string, ...string[]],
  files: readonly string[],
): Promise<readonly string[]> {
  if (readers.length === 0) return [];
  if (acls === 'off') return [NOTHING_GRANTED];
  const failure =
    unusableName(readers) ??
    (await setAcl(commands, entries(readers, 'rwx', 'r-x'), [directory, ...folders])) ??
    (await setAcl(commands, entries(readers, 'rw-', 'r--'), files));
  return failure === undefined ? [] : notGranted(directory, acls, failure);
}

/**
 * Checks whether granting could work, without changing anything.
 * @returns and throws like `grantReaders`
 */
export async function checkReaders(
  commands: Commands,
  { acls, readers }: DirectoryDestination,
  directory: string,
): Promise<readonly string[]> {
  if (readers.length === 0) return [];
  if (acls === 'off') return [NOTHING_GRANTED];
  const { missing } = await commands.run('setfacl', ['--version'], LIMITS);
  const failure = unusableName(readers) ?? (missing === true ? MISSING : undefined);
  return failure === undefined ? [] : notGranted(directory, acls, failure);
}

const MISSING = 'setfacl is missing or timed out';
const NOTHING_GRANTED = 'the readers of the destination get no access: acls is off';

function notGranted(directory: string, acls: DirectoryDestination['acls'], failure: string): readonly string[] {
  const message = `cannot grant access to the readers of ${directory}: ${failure}`;
  if (acls === 'try') return [message];
  throw new MachineIdError('DESTINATION_UNWRITABLE', message, {
    hint: 'Install setfacl (package acl) and use a file system with access control lists, or set "acls: try".',
  });
}

/** A comma or colon in a name would create other entries in the list. */
function unusableName(readers: readonly Reader[]): string | undefined {
  const bad = readers.map(nameOf).find((name) => !/^[^\s,:]+$/.test(name));
  return bad === undefined ? undefined : `${JSON.stringify(bad)} is not a valid name of a user or group`;
}

function nameOf(reader: Reader): string {
  return 'user' in reader ? reader.user : reader.group;
}

/** The complete list: owner and readers; the file's group and others get nothing. */
function entries(readers: readonly Reader[], owner: string, reader: string): string {
  const named = readers.map((one) => `${'user' in one ? 'user' : 'group'}:${nameOf(one)}:${reader}`);
  return [`user::${owner}`, ...named, 'group::---', `mask::${reader}`, 'other::---'].join(',');
}

/** @returns why it failed, or undefined */
async function setAcl(commands: Commands, list: string, paths: readonly string[]): Promise<string | undefined> {
  const { exitCode, stderr } = await commands.run('setfacl', [`--set=${list}`, '--', ...paths], LIMITS);
  if (exitCode === 0) return undefined;
  return exitCode === undefined ? MISSING : stderr.trim().split('\n')[0];
}
