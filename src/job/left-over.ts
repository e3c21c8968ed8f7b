/**
 * Finds credentials that earlier jobs left on this machine because `cleanup` did not run, for example in a cancelled job. A job
 * counts as ended
 * - if all its certificates have expired;
 * - if no process of this user has its CIRCLE_WORKFLOW_JOB_ID in the environment, and none of the ancestors of its runs still
 *   runs, except those that this job shares, such as the runner's service. This cannot be known for another container or host
 *   with the same home directory, on Windows, or for a run outside a job.
 */
import { utcTime } from '../crypto/validity.ts';
import type { Files } from '../effects/files.ts';
import type { Processes } from '../effects/processes.ts';
import { MAX_JOB_MS, readOtherManifests, type StoredManifest, type Writer } from './manifest.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface Leftover {
  readonly manifest: StoredManifest;
  /** The job's id, or `without an id`. */
  readonly job: string;
  /** Files that are still there. */
  readonly files: readonly string[];
  /** Whether the job has ended; `reason` completes a sentence about it. */
  readonly ended: boolean;
  readonly reason: string;
}

export interface LeftoverContext {
  readonly files: Pick<Files, 'entry' | 'names' | 'userId' | 'readText'>;
  readonly environment: Environment;
  readonly listProcesses: () => Promise<Processes | undefined>;
  readonly nowMs: number;
}

/** In the order of their names; only jobs whose files still exist. */
export async function findLeftovers({
  environment,
  files,
  listProcesses,
  nowMs,
}: LeftoverContext): Promise<readonly Leftover[]> {
  const found: Leftover[] = [];
  let processes: Promise<Processes | undefined> | undefined;
  for (const manifest of await readOtherManifests(files, environment)) {
    const left = await filesOf(manifest, files);
    if (left.length === 0) continue;
    processes ??= listProcesses();
    const { background, job, writers } = writersOf(manifest);
    const { modifiedMs = nowMs } = (await files.entry(manifest.path)) ?? {};
    const endsMs = Math.max(...(writers.length === 0 ? [modifiedMs + MAX_JOB_MS] : writers.map((one) => one.endsMs)));
    const verdict = verdictOn({ background, job, writers, endsMs }, await processes, nowMs);
    found.push({ manifest, job: job === '' ? 'without an id' : job, files: left, ...verdict });
  }
  return found;
}

async function filesOf({ entries }: StoredManifest, files: Pick<Files, 'entry'>): Promise<readonly string[]> {
  const paths = entries.flatMap((entry) => {
    if ('background' in entry) return [entry.status];
    return 'file' in entry ? [entry.file, ...entry.temporaries] : [];
  });
  const left: string[] = [];
  for (const path of new Set(paths))
    if ((await files.entry(path).catch(() => undefined)) !== undefined) left.push(path);
  return left;
}

interface Writers {
  /** Empty if the manifest does not name it. */
  readonly job: string;
  readonly writers: readonly Writer[];
  /** Its processes in the background, whose existence does not show that the job still runs. */
  readonly background: readonly string[];
}

function writersOf({ entries }: StoredManifest): Writers {
  const writers = entries.flatMap((entry) => ('job' in entry ? [entry] : []));
  const background = entries.flatMap((entry) => ('background' in entry ? [entry.processName] : []));
  return { job: writers.find(({ job }) => job !== '')?.job ?? '', writers, background };
}

function verdictOn(
  { background, endsMs, job, writers }: Writers & { readonly endsMs: number },
  processes: Processes | undefined,
  nowMs: number,
): Pick<Leftover, 'ended' | 'reason'> {
  const end = utcTime(endsMs);
  // Even if a process of the job still runs, such as a build daemon: expired certificates are of no use to it.
  if (endsMs <= nowMs) return { ended: true, reason: `its certificates expired at ${end}` };
  const isLocal = writers.length > 0 && writers.every(({ scope }) => scope === processes?.scope);
  const running = isLocal && processes !== undefined ? runningOf({ background, job, writers }, processes) : undefined;
  if (running !== undefined) return { ended: false, reason: `its process ${running} is still running` };
  // The credentials of a run outside a job may still be in use after its shell has exited.
  if (isLocal && job !== '') return { ended: true, reason: 'none of its processes is running any more' };
  const why = isLocal ? 'it was not a CircleCI job' : 'its processes are not visible from here';
  return { ended: false, reason: `${why}, and its certificates may be valid until ${end}` };
}

/** The id of a process that shows that the job still runs. */
function runningOf({ background, job, writers }: Writers, processes: Processes): string | undefined {
  const ours = new Set([...processes.ancestors, ...background]);
  const others = writers.flatMap((writer) => writer.processes).filter((name) => !ours.has(name));
  const running = others.find((name) => processes.isRunning(name));
  const name = running ?? (job === '' ? undefined : processes.withVariable('CIRCLE_WORKFLOW_JOB_ID', job, background));
  return name?.split(' ', 1)[0];
}
