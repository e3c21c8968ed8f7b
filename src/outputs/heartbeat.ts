/** Sends the heartbeat that shows in Teleport which job a bot instance is. */
import type { ClusterSession } from '../auth/session.ts';
import { withDeadline } from '../effects/time.ts';
import { VERSION } from '../effects/world.ts';
import { MachineIdError, printable } from '../errors.ts';
import type { Joined } from '../join/join.ts';
import { describeError } from '../net/network-error.ts';
import type { RunContext } from './work.ts';

/**
 * How long the end of a run waits for the response. The request and the end of the connection reach the Auth Service this
 * far apart however distant it is, which is time enough to store a heartbeat: nothing is lost by leaving before the response.
 */
const LONGEST_WAIT_MS = 100;

/** Never rejects: without the heartbeat, the job has everything that it needs. */
export async function sendHeartbeat(
  { journal, plan, world }: RunContext,
  { bot }: Joined,
  { submitHeartbeat }: Pick<ClusterSession, 'submitHeartbeat'>,
): Promise<void> {
  if (!plan.heartbeat || bot.botInstanceId === undefined) return;
  const { architecture, clock, environment, files, signal: outer } = world;
  const heartbeat = {
    recordedAtMs: clock.nowMs(),
    uptimeMs: journal.totalMs(),
    version: VERSION,
    hostname: jobName(environment),
    joinMethod: plan.tokenRequest.joinMethod,
    architecture,
    platform: files.platform,
  };
  const deadline = { waitingFor: 'the heartbeat', timeoutMs: LONGEST_WAIT_MS, signal: outer };
  try {
    await withDeadline(deadline, (signal) => submitHeartbeat(heartbeat, signal));
    journal.debug(`heartbeat of ${heartbeat.hostname} sent`);
  } catch (error) {
    const isLate = error instanceof MachineIdError && error.code === 'TIMEOUT';
    journal.debug(
      isLate
        ? `heartbeat of ${heartbeat.hostname} sent, no response within ${LONGEST_WAIT_MS} ms`
        : `heartbeat not accepted: ${describeError(error)}`,
    );
  }
}

const MAX_NAME_CHARS = 200;

/**
 * The name of the job for people who look at it from Teleport: project and number, such as `example/app#123`. Outside CircleCI, and for a
 * project without a name, what is known.
 */
function jobName(environment: Readonly<Record<string, string | undefined>>): string {
  const {
    CIRCLE_BUILD_NUM: number = '',
    CIRCLE_NODE_INDEX: index = '',
    CIRCLE_NODE_TOTAL: total = '',
    CIRCLE_PROJECT_ID: id = '',
    CIRCLE_PROJECT_REPONAME: repository = '',
    CIRCLE_PROJECT_USERNAME: owner = '',
  } = environment;
  const project = [owner, repository].filter((part) => part !== '').join('/') || id || 'circleci';
  // Jobs that run in parallel share a number, and each joins.
  const node = Number(total) > 1 && index !== '' ? `.${index}` : '';
  return printable(number === '' ? project : `${project}#${number}${node}`).slice(0, MAX_NAME_CHARS);
}
