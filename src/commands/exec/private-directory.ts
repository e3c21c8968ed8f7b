/** The private directory of one `exec`, from its creation to its removal, and those that killed ones have left. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { PlannedRun } from '../../config/plan.ts';
import { fileErrorText } from '../../effects/file-error.ts';
import type { OrphanGuard } from '../../effects/orphan-guard.ts';
import type { Processes } from '../../effects/processes.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError, printable } from '../../errors.ts';
import { removeTree, type privatePlace } from '../../files/private-directory.ts';
import { readManifests, readOtherManifests, type StoredManifest } from '../../job/manifest.ts';

/** In the environment of the command and of everything that it starts: the path of the directory. */
export const DIRECTORY_VARIABLE = 'MACHINE_ID_EXEC';

/** @param place as from `privatePlace` */
export function privatePath({ path }: Awaited<ReturnType<typeof privatePlace>>): string {
  return join(path, `machine-id-exec-${randomBytes(8).toString('hex')}`);
}

/**
 * Removes the directory when the work is done, whatever happens; if this process is killed, a guard does.
 * @throws MachineIdError DESTINATION_UNWRITABLE, CLEANUP_FAILED; what the work throws
 */
export async function withPrivateDirectory<T>(
  path: string,
  { record, world }: Pick<PlannedRun, 'record' | 'world'>,
  work: (guard: OrphanGuard) => Promise<T>,
): Promise<T> {
  const { files, listProcesses, startOrphanGuard } = world;
  const { scope = '', self: process = '' } = (await listProcesses()) ?? {};
  await record.privateDirectory(path, { scope, process });
  try {
    await files.makeDirectory(path);
  } catch (cause) {
    throw new MachineIdError('DESTINATION_UNWRITABLE', `cannot create ${path}: ${fileErrorText(cause)}`, {
      hint: 'Set TMPDIR to a directory that this user may write to.',
      cause,
    });
  }
  const guard = await startOrphanGuard(path, `${DIRECTORY_VARIABLE}=${path}`);
  const remove = async () => {
    const failures = await removeTree(files, path);
    if (failures.length === 0) guard.release();
    return failures;
  };
  let result: T;
  try {
    result = await work(guard);
  } catch (error) {
    for (const failure of await remove()) world.stderr(`${printable(failure)}\n`);
    throw error;
  }
  const failures = await remove();
  if (failures.length > 0) throw notRemoved(failures);
  return result;
}

function notRemoved(failures: readonly string[]): MachineIdError {
  const [first = '', ...others] = failures;
  return new MachineIdError('CLEANUP_FAILED', `credentials of the command could not be removed: ${first}`, {
    lines: others,
    hint: 'Remove them by hand if the machine outlives the job; the certificates expire on their own.',
  });
}

// What killed processes have left.

type Effects = Pick<World, 'environment' | 'files' | 'listProcesses' | 'stderr'>;

/** Of this job, and of this user's other jobs on this machine. @returns what could not be removed */
export async function removeAbandoned(world: Effects): Promise<readonly string[]> {
  const { environment, files } = world;
  const own = await readManifests(files, environment).catch(() => []);
  return removeAbandonedOf([...own, ...(await readOtherManifests(files, environment))], world);
}

/** Ends the processes of the command, and removes the directory. */
export async function removeAbandonedOf(
  manifests: readonly StoredManifest[],
  { files, listProcesses, stderr }: Omit<Effects, 'environment'>,
): Promise<readonly string[]> {
  const all: string[] = [];
  for (const { path, processes } of await directoriesOf(manifests, listProcesses, 'abandoned')) {
    if ((await files.entry(path).catch(() => undefined)) === undefined) continue;
    endProcesses(path, processes);
    const failures = await removeTree(files, path);
    if (failures.length === 0) stderr(`Removed what a killed "exec" left: ${printable(path)}\n`);
    all.push(...failures);
  }
  return all;
}

/** The directories that are in use. */
export async function directoriesInUse(
  manifests: readonly StoredManifest[],
  { listProcesses }: Pick<Effects, 'listProcesses'>,
): Promise<readonly string[]> {
  return (await directoriesOf(manifests, listProcesses, 'in use')).map(({ path }) => path);
}

/** Those of another host or container are neither. */
async function directoriesOf(
  manifests: readonly StoredManifest[],
  listProcesses: World['listProcesses'],
  wanted: 'abandoned' | 'in use',
): Promise<readonly { readonly path: string; readonly processes: Processes }[]> {
  const entries = manifests.flatMap((manifest) => manifest.entries.flatMap((one) => ('private' in one ? [one] : [])));
  const processes = entries.length === 0 ? undefined : await listProcesses();
  if (processes === undefined) return [];
  return entries
    .filter(({ process, scope }) => scope === processes.scope && processes.isRunning(process) === (wanted === 'in use'))
    .map(({ private: path }) => ({ path, processes }));
}

/** More than a command starts; a process that cannot be ended must not be tried forever. */
const MAX_PROCESSES = 10_000;

function endProcesses(path: string, processes: Processes): void {
  for (let count = 0; count < MAX_PROCESSES; count += 1) {
    const name = processes.withVariable(DIRECTORY_VARIABLE, path);
    if (name === undefined || !processes.send(name, 'SIGKILL')) return;
  }
}
