/**
 * The end of a job, as a process in its background sees it: none of the job's own processes runs any more. The processes of a
 * step end with the step. What starts the steps lives as long as the job: the first ancestor that does not have the job's
 * id in its environment, as CircleCI gives it to steps only. What starts jobs, such as the service of a self-hosted runner, is
 * further up, and outlives them.
 */
import type { Clock } from '../effects/time.ts';
import type { ListProcesses, ProcessName, Processes } from '../effects/processes.ts';

export interface JobEndContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly listProcesses: ListProcesses;
  readonly clock: Pick<Clock, 'sleep'>;
}

const JOB = 'CIRCLE_WORKFLOW_JOB_ID';

/** How often it looks. */
const INTERVAL_MS = 2000;

/**
 * The process with which the job ends. Outside a job, that is the shell of the terminal or script. Undefined if it cannot be
 * seen; in a container, it is the first process, whose end is that of all others.
 */
export function jobProcess(processes: Processes, environment: JobEndContext['environment']): ProcessName | undefined {
  const { ancestors } = processes;
  const { [JOB]: job = '' } = environment;
  const ofSteps = job === '' ? [] : ancestors.filter((name) => processes.hasVariable(name, JOB, job));
  const last = ofSteps.at(-1);
  if (last !== undefined) return ancestors[ancestors.indexOf(last) + 1];
  // Where no environment can be read: CircleCI gives each step a terminal, and so a session.
  const leader = ancestors.findIndex((name) => processes.leadsSession(name));
  return leader === -1 ? undefined : ancestors[job === '' ? leader : leader + 1];
}

/** Resolves when that process has ended; rejects with the signal's reason. */
export async function untilEnded(
  name: ProcessName,
  { clock, listProcesses }: JobEndContext,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.sleep(INTERVAL_MS, signal);
    const processes = await listProcesses();
    if (processes !== undefined && !processes.isRunning(name)) return;
  }
}

/**
 * What a job may take at most: five hours on CircleCI's largest plan, and on a self-hosted runner with its own settings; one
 * and three hours on the smaller plans. Nothing in a job tells which plan it runs on.
 */
export const JOB_LIMIT_MS = 5 * 60 * 60 * 1000;
