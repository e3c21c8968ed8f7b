/** Produces a `workload-identity-jwt` output: a JWT SVID. */
import { checkJwtSvid } from '../certs/jwt-svid.ts';
import { shortenedLifetime } from '../certs/lifetime.ts';
import type { Supported } from '../config/supported.ts';
import { jwtSvidFile } from '../outputs/jwt-svid.ts';
import { onlySvid } from './only-svid.ts';
import { withOwnSession } from './own-session.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { finishOutput, type OutputWork } from './work.ts';

/** @throws MachineIdError as asking, checking and writing do */
export async function produceWorkloadJwt(
  output: Supported<'workload-identity-jwt'>,
  work: OutputWork,
): Promise<WrittenOutput> {
  const { run, joined } = work;
  const { clock } = run.world;
  const { selector, audiences, ttlMs, path } = output;
  const { svid, roles, askedMs } = await withOwnSession(output, work, async ({ workloads, issued }) => {
    const askedMs = clock.nowMs() + ttlMs;
    const svids = await workloads.issueJwt(selector, { audiences, ttlMs });
    return { svid: onlySvid(svids, selector, path), roles: issued.identity.roles, askedMs };
  });
  const checked = checkJwtSvid(svid, { audiences, trustDomain: joined.bot.clusterName, askedMs, nowMs: clock.nowMs() });
  run.progress.done('certificates', `JWT SVID for ${path}: ${checked.spiffeId}`);
  const { expiresAtMs } = checked;
  const notices = [
    shortenedLifetime(askedMs, expiresAtMs, 'the most that it gives to a workload'),
    checked.clockNotice,
  ].filter((notice) => notice !== undefined);
  return finishOutput(output, work, {
    issued: { identity: { roles, expiresAtMs }, notices },
    place: placeOf(output.destination, run),
    files: [jwtSvidFile('jwt_svid', checked)],
  });
}
