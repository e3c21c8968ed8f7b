/** Sends the heartbeat that shows in Teleport which job a bot instance is. */
import type { ClusterSession } from '../auth/session.ts';
import { withDeadline } from '../effects/time.ts';
import { VERSION } from '../effects/world.ts';
import { jobName } from '../job/job-name.ts';
import type { Joined } from '../join/join.ts';
import { describeError } from '../net/network-error.ts';
import type { RunContext } from './work.ts';

/** Longer than a round trip; the end of the run waits no longer for the response. */
const TIMEOUT_MS = 500;

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
  const deadline = { waitingFor: 'the heartbeat', timeoutMs: TIMEOUT_MS, signal: outer };
  try {
    await withDeadline(deadline, (signal) => submitHeartbeat(heartbeat, signal));
    journal.debug(`heartbeat of ${heartbeat.hostname} sent`);
  } catch (error) {
    journal.debug(`heartbeat not accepted: ${describeError(error)}`);
  }
}
