/** `cleanup`: removes the credentials that the runs of this job wrote, as the last step of the job. */
import { documentation } from '../schema/keys.ts';
import { basename, dirname } from 'node:path';
import { DEBUG, type Flag, flagsOf, parseFlags, wantsDebug } from '../cli/flags.ts';
import type { Declarations } from '../config/declaration.ts';
import { fileErrorText } from '../effects/file-error.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, pluralize, printable, type Problem } from '../errors.ts';
import { recoverDirectory } from '../files/recover.ts';
import {
  type Removal,
  removeDirectory,
  removeFile,
  removeProfile,
  removeTemporary,
  type WrittenFile,
} from '../files/remove.ts';
import { removeLines } from '../job/bash-env.ts';
import { type BackgroundProcess, backgroundIn, stopBackground } from '../job/background.ts';
import { removeBackgroundFiles } from '../job/background-files.ts';
import { findLeftovers, type Leftover } from '../job/left-over.ts';
import { type ManifestEntry, readAgain, readManifests, type StoredManifest } from '../job/manifest.ts';
import { removeStale } from '../net/listen.ts';
import { isListed } from '../outputs/identity-files.ts';
import { directoriesInUse, removeAbandonedOf } from './exec/private-directory.ts';

export const CLEANUP = {
  leftOver: {
    flag: 'left-over',
    orb: { name: 'left_over', type: 'boolean', more: documentation('For self-hosted runners.') },
    help: 'Also remove what jobs that have ended left on this machine, such as one that was cancelled before its own cleanup.',
  },
  debug: DEBUG,
} as const satisfies Declarations;

export const CLEANUP_FLAGS: readonly Flag[] = flagsOf(CLEANUP);

interface Finding {
  readonly path: string;
  readonly removal: Removal;
}

/** The removal of exports from one file. */
interface ExportFinding extends Finding {
  /** Variables that are still set by other lines of the file. */
  readonly kept: readonly string[];
}

interface Findings {
  readonly exports: readonly ExportFinding[];
  /** Files that the summary of a run lists. */
  readonly written: readonly Finding[];
  /** All other files. */
  readonly others: readonly Finding[];
}

/** @throws MachineIdError USAGE_INVALID, CLEANUP_FAILED */
export async function cleanup(args: readonly string[], world: World): Promise<void> {
  const given = parseFlags(CLEANUP_FLAGS, args);
  const { clock, environment, files, stderr } = world;
  const options = { debug: wantsDebug(args, world) };
  const manifests = await readManifests(files, environment);
  const leftOver = await findLeftovers({ ...world, nowMs: clock.nowMs() });
  const problems: Problem[] = [];
  if (manifests.length === 0) stderr('Nothing to clean up: no run of this job wrote anything.\n');
  else
    problems.push(...(await cleanUp(manifests, world, { ...options, owner: 'the runs of this job', keptPaths: NONE })));
  problems.push(
    ...(await cleanUpLeftovers(leftOver, manifests, world, { ...options, remove: given.has('left-over') })),
  );
  if (problems.length > 0) throw cleanupFailed(problems);
}

const NONE: ReadonlySet<string> = new Set();

/** Removes what ended jobs left, if requested; otherwise only reports it. */
async function cleanUpLeftovers(
  leftOver: readonly Leftover[],
  own: readonly StoredManifest[],
  world: World,
  { debug, remove }: { readonly debug: boolean; readonly remove: boolean },
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const inUse = [...own, ...leftOver.filter(({ ended }) => !ended).map(({ manifest }) => manifest)];
  const keptPaths = new Set(inUse.flatMap(({ entries }) => entries.flatMap(pathsIn)));
  for (const { ended, files, job, manifest, reason } of leftOver) {
    const folders = [...new Set(files.map((path) => dirname(path)))].join(', ');
    if (!ended) {
      if (remove || debug)
        world.stderr(`${printable(`Kept the credentials of the job ${job} in ${folders}: ${reason}`)}\n`);
    } else if (!remove) {
      const advice = 'remove them with --left-over (orb parameter left_over)';
      world.stderr(
        `${printable(`Credentials of the job ${job}, which has ended (${reason}), are still in ${folders}: ${advice}`)}\n`,
      );
    } else {
      const owner = `the job ${job}, which has ended (${reason}),`;
      problems.push(...(await cleanUp([manifest], world, { debug, owner, keptPaths })));
    }
  }
  return problems;
}

function pathsIn(entry: ManifestEntry): readonly string[] {
  if ('file' in entry) return [entry.file, ...entry.temporaries];
  if ('exports' in entry) return [entry.exports];
  return [];
}

interface CleanUpOptions {
  readonly debug: boolean;
  /** Who wrote the files, for the report. */
  readonly owner: string;
  /** Paths of files that jobs which are still running wrote too. */
  readonly keptPaths: ReadonlySet<string>;
}

/** Removes the manifests too, unless something could not be removed. @returns what could not be stopped or removed */
async function cleanUp(
  given: readonly StoredManifest[],
  world: World,
  { debug, keptPaths, owner }: CleanUpOptions,
): Promise<readonly Problem[]> {
  const { files, stderr } = world;
  const { problems: running, stopped } = await stopProcesses(given, world);
  // Until they were stopped, they may have written more.
  const manifests = await Promise.all(given.map((manifest) => readAgain(files, manifest)));
  const abandoned = await removeAbandonedOf(manifests, world);
  const inUse = await directoriesInUse(manifests, world);
  const entries = manifests
    .flatMap((manifest) => manifest.entries)
    .filter((entry) => !isKept(entry, keptPaths) && !inUse.some((directory) => isWithin(entry, directory)));
  const remainders = await recoverDestinations(entries, world);
  // Files first: on a full disk, this makes room for the new file of exports.
  const written = await removeFiles(entries, world);
  const others = [
    ...remainders,
    ...(await removeTemporaries(entries, world)),
    ...(await removeSockets(entries, world)),
    ...(await removeDirectories(entries, world)),
  ];
  const found: Findings = { exports: await removeExports(entries, world), written, others };
  stderr(report(found, { debug, owner, hasStopped: stopped > 0 }));
  const unremoved = [...found.exports, ...found.written, ...found.others].flatMap(({ path, removal }) =>
    removal.outcome === 'failed' ? [{ path, message: `cannot be removed: ${removal.reason}` }] : [],
  );
  const problems = [...running, ...unremoved, ...abandoned.map((message) => ({ path: 'exec', message }))];
  // Its directories must stay known.
  if (inUse.length > 0) stderr(`Kept, because "exec" is still running: ${printable(inUse.join(', '))}\n`);
  else if (problems.length === 0) for (const { path } of manifests) await files.remove(path);
  return problems;
}

function isWithin(entry: ManifestEntry, directory: string): boolean {
  return pathsIn(entry).some((path) => path.startsWith(`${directory}/`));
}

interface Stopped {
  /** Those that still run. */
  readonly problems: readonly Problem[];
  readonly stopped: number;
}

/** Before anything is removed: they would write it again. */
async function stopProcesses(manifests: readonly StoredManifest[], world: World): Promise<Stopped> {
  const problems: Problem[] = [];
  let stopped = 0;
  for (const one of await backgroundIn(manifests, world)) {
    const failure = await stopBackground(world, one);
    if (failure !== undefined) problems.push({ path: `${one.kind} ${one.name}`, message: unstopped(one, failure) });
    else {
      await removeBackgroundFiles(world.files, one.entry);
      const ended = endText(one);
      if (ended !== undefined) world.stderr(`${printable(ended)}\n`);
      stopped += 1;
    }
  }
  return { problems, stopped };
}

/** Undefined if it had already ended as it should. */
function endText({ kind, name, problem = '', processId, state }: BackgroundProcess): string | undefined {
  const what = `the ${kind} ${name} (process ${processId})`;
  if (state === 'starting' || state === 'ready') return `Stopped ${what}`;
  if (state === 'failed') return `Before, ${what} had failed: ${problem}`;
  return state === 'died' ? `Before, ${what} had ended unexpectedly` : undefined;
}

function unstopped({ processId }: BackgroundProcess, failure: string): string {
  return `process ${processId} cannot be stopped: it ${failure}`;
}

function isKept(entry: ManifestEntry, keptPaths: ReadonlySet<string>): boolean {
  return pathsIn(entry).some((path) => keptPaths.has(path));
}

/** Completes or removes what a killed run left in its destinations, including files that no entry lists. */
async function recoverDestinations(entries: readonly ManifestEntry[], { files }: World): Promise<readonly Finding[]> {
  const paths = new Set(
    entries.flatMap((entry) => {
      if ('destination' in entry) return [entry.destination];
      // A run that was killed early recorded only the directories it created.
      return 'directory' in entry ? [entry.directory] : [];
    }),
  );
  const remainders = await Promise.all([...paths].map((path) => recoverDirectory(files, path, 'try-secure')));
  return remainders.flat().map(({ path, reason }) => ({ path, removal: { outcome: 'failed', reason } }));
}

async function removeExports(entries: readonly ManifestEntry[], { files }: World): Promise<readonly ExportFinding[]> {
  const blocks = grouped(
    entries.flatMap((entry) => ('exports' in entry ? [[entry.exports, entry.lines] as const] : [])),
  );
  const findings: ExportFinding[] = [];
  for (const [path, lines] of blocks) {
    const finding = await removeLines(files, path, lines).then(
      ({ kept, removed }): ExportFinding => ({ path, kept, removal: { outcome: removed > 0 ? 'removed' : 'missing' } }),
      (error: unknown): ExportFinding => ({
        path,
        kept: [],
        removal: { outcome: 'failed', reason: fileErrorText(error) },
      }),
    );
    findings.push(finding);
  }
  return findings;
}

async function removeFiles(entries: readonly ManifestEntry[], { files }: World): Promise<readonly Finding[]> {
  return Promise.all(
    writtenFiles(entries).map(async ({ awsProfiles, ...file }) => ({
      path: file.path,
      removal: await removeAll(file, awsProfiles, files),
    })),
  );
}

async function removeTemporaries(entries: readonly ManifestEntry[], { files }: World): Promise<readonly Finding[]> {
  const paths = entries.flatMap((entry) => ('file' in entry ? entry.temporaries : []));
  return Promise.all(paths.map(async (path) => ({ path, removal: await removeTemporary(files, path) })));
}

/** Those of a tunnel that was killed; one that ends removes them itself. */
async function removeSockets(entries: readonly ManifestEntry[], { files, signal }: World): Promise<readonly Finding[]> {
  const paths = new Set(entries.flatMap((entry) => ('socket' in entry ? [entry.socket] : [])));
  return Promise.all(
    [...paths].map(async (path): Promise<Finding> => {
      if ((await files.entry(path))?.kind !== 'other') return { path, removal: { outcome: 'missing' } };
      return removeStale(path, { files, signal }).then(
        (): Finding => ({ path, removal: { outcome: 'removed' } }),
        (error: unknown): Finding => ({
          path,
          // Another process has taken the place.
          removal: isTaken(error) ? { outcome: 'changed' } : { outcome: 'failed', reason: fileErrorText(error) },
        }),
      );
    }),
  );
}

function isTaken(error: unknown): boolean {
  return error instanceof MachineIdError && error.code === 'LISTEN_FAILED';
}

/** A later run of the job may have written the same file with other contents. */
function writtenFiles(entries: readonly ManifestEntry[]): readonly SharedFile[] {
  const files = new Map<string, { sha256: Set<string>; awsProfiles: Set<string> }>();
  for (const entry of entries) {
    if (!('file' in entry)) continue;
    const known = files.get(entry.file) ?? { sha256: new Set(), awsProfiles: new Set() };
    known.sha256.add(entry.sha256);
    if (entry.awsProfile !== undefined) known.awsProfiles.add(entry.awsProfile);
    files.set(entry.file, known);
  }
  return [...files].map(([path, { awsProfiles, sha256 }]) => ({ path, sha256, awsProfiles }));
}

interface SharedFile extends WrittenFile {
  /** Profiles that runs wrote into a file with other profiles. */
  readonly awsProfiles: ReadonlySet<string>;
}

async function removeAll(file: WrittenFile, awsProfiles: ReadonlySet<string>, files: World['files']): Promise<Removal> {
  if (awsProfiles.size === 0) return removeFile(files, file);
  let last: Removal = { outcome: 'missing' };
  for (const profile of awsProfiles) {
    const removal = await removeProfile(files, file.path, profile);
    if (removal.outcome !== 'missing') last = removal;
    if (removal.outcome === 'failed') break;
  }
  return last;
}

/** Removes inner directories first, and keeps directories that contain other files. */
async function removeDirectories(entries: readonly ManifestEntry[], { files }: World): Promise<readonly Finding[]> {
  const paths = new Set(entries.flatMap((entry) => ('directory' in entry ? [entry.directory] : [])));
  const findings: Finding[] = [];
  for (const path of [...paths].sort((a, b) => b.length - a.length)) {
    findings.push({ path, removal: await removeDirectory(files, path) });
  }
  return findings;
}

/** Counts the same files as the summary of a run. */
function report(
  { exports, others, written }: Findings,
  { debug, hasStopped, owner }: Pick<CleanUpOptions, 'debug' | 'owner'> & { readonly hasStopped: boolean },
): string {
  const removed = pathsOf(written, 'removed').filter((path) => isListed(basename(path)));
  const changed = pathsOf([...written, ...others], 'changed');
  const kept = [...new Set(exports.flatMap((finding) => finding.kept))];
  const hasExports = pathsOf(exports, 'removed').length > 0;
  const nothing =
    hasStopped || hasExports ? [] : [`Nothing to clean up: what ${owner} wrote has already been removed.`];
  const lines = [
    ...(removed.length === 0 ? nothing : [`Removed ${pluralize(removed.length, 'file')} that ${owner} wrote:`]),
    ...byFolder(removed, debug),
    ...(changed.length === 0
      ? []
      : ['Kept, because these files were changed by another program:', ...byFolder(changed, true)]),
    ...(hasExports ? ['Removed their exports from $BASH_ENV'] : []),
    ...(kept.length === 0 ? [] : [`Kept in $BASH_ENV, because other lines set them: ${kept.join(', ')}`]),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function pathsOf(findings: readonly Finding[], outcome: Removal['outcome']): readonly string[] {
  return findings.filter(({ removal }) => removal.outcome === outcome).map(({ path }) => path);
}

function byFolder(paths: readonly string[], withNames: boolean): string[] {
  const folders = grouped(paths.map((path) => [dirname(path), basename(path)] as const));
  return [...folders].map(
    ([folder, names]) => `  ${folder}: ${withNames ? names.join(', ') : pluralize(names.length, 'file')}`,
  );
}

/** The values of each key, in order. */
function grouped(pairs: readonly (readonly [key: string, value: string])[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function cleanupFailed(problems: readonly Problem[]): MachineIdError {
  return new MachineIdError('CLEANUP_FAILED', 'some of what runs wrote or started could not be removed or stopped', {
    hint: 'Remove or stop it by hand if the machine outlives the job; the certificates expire on their own.',
    problems,
  });
}
