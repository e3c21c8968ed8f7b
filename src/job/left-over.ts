/**
 * Credentials that jobs before have left on this machine, since nothing ran `cleanup` for them: a cancelled job, say. A job
 * counts as ended
 * - when all its certificates have;
 * - when no process of this user has its CIRCLE_WORKFLOW_JOB_ID in its environment, and none of the processes that its runs
 *   were started by runs any more, those aside that this job has in common with it, such as the service of the runner. That
 *   cannot be known of another container or host with the same home, or on Windows; a run outside a job has no such end.
 */
import { utcTime } from '../crypto/validity.ts';
import type { Files } from '../effects/files.ts';
import type { Processes } from '../effects/processes.ts';
import { readOtherManifests, type StoredManifest, type Writer } from './manifest.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface Leftover {
  readonly manifest: StoredManifest;
  /** Its id, or what else it is known by. */
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

/** Of a list without a heading, which no run of this version writes: the longest lifetime of a bot's certificates. */
const MAX_JOB_MS = 7 * 24 * 60 * 60 * 1000;

/** In the order of their names; none that has left no file. */
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
    const { job, writers } = writersOf(manifest);
    const { modifiedMs = nowMs } = (await files.entry(manifest.path)) ?? {};
    const endsMs = Math.max(...(writers.length === 0 ? [modifiedMs + MAX_JOB_MS] : writers.map((one) => one.endsMs)));
    const verdict = verdictOn({ job, writers, endsMs }, await processes, nowMs);
    found.push({ manifest, job: job === '' ? 'without an id' : job, files: left, ...verdict });
  }
  return found;
}

async function filesOf({ entries }: StoredManifest, files: Pick<Files, 'entry'>): Promise<readonly string[]> {
  const paths = entries.flatMap((entry) => ('file' in entry ? [entry.file, ...entry.temporaries] : []));
  const left: string[] = [];
  for (const path of new Set(paths))
    if ((await files.entry(path).catch(() => undefined)) !== undefined) left.push(path);
  return left;
}

interface Writers {
  /** Empty when no list names it. */
  readonly job: string;
  readonly writers: readonly Writer[];
}

function writersOf({ entries }: StoredManifest): Writers {
  const writers = entries.flatMap((entry) => ('job' in entry ? [entry] : []));
  return { job: writers.find(({ job }) => job !== '')?.job ?? '', writers };
}

function verdictOn(
  { endsMs, job, writers }: Writers & { readonly endsMs: number },
  processes: Processes | undefined,
  nowMs: number,
): Pick<Leftover, 'ended' | 'reason'> {
  const end = utcTime(endsMs);
  // Even where a process of the job goes on, such as a daemon of a build tool: what has ended is of no use to it.
  if (endsMs <= nowMs) return { ended: true, reason: `its certificates ended at ${end}` };
  const isLocal = writers.length > 0 && writers.every(({ scope }) => scope === processes?.scope);
  const running = isLocal && processes !== undefined ? runningOf(writers, job, processes) : undefined;
  if (running !== undefined) return { ended: false, reason: `its process ${running} still runs` };
  // A run outside a job goes on being somebody's when its shell has ended.
  if (isLocal && job !== '') return { ended: true, reason: 'none of its processes runs any more' };
  const why = isLocal ? 'it was not a job of CircleCI' : 'its processes cannot be seen from here';
  return { ended: false, reason: `${why}, and its certificates may be good until ${end}` };
}

/** The id of a process that shows that the job goes on. */
function runningOf(writers: readonly Writer[], job: string, processes: Processes): string | undefined {
  const ours = new Set(processes.ancestors);
  const others = writers.flatMap((writer) => writer.processes).filter((name) => !ours.has(name));
  const running = others.find((name) => processes.isRunning(name));
  const name = running ?? (job === '' ? undefined : processes.withVariable('CIRCLE_WORKFLOW_JOB_ID', job));
  return name?.split(' ', 1)[0];
}
