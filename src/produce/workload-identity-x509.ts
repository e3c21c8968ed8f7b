/** Produces a `workload-identity-x509` output: an X.509 SVID with its key, bundle and list of revoked ones. */
import type { Supported } from '../config/supported.ts';
import { onlySvid } from './only-svid.ts';
import { withOwnSession } from './own-session.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { finishOutput, type OutputWork } from './work.ts';
import { fetchX509Svid } from './x509-svid.ts';

/** @throws MachineIdError as asking, checking and writing do */
export async function produceWorkloadX509(
  output: Supported<'workload-identity-x509'>,
  work: OutputWork,
): Promise<WrittenOutput> {
  const { selector, ttlMs, path, destination } = output;
  return withOwnSession(output, work, async (session) => {
    const { spiffeId, files, expiresAtMs, notices } = await fetchX509Svid(session, work, {
      ttlMs,
      federated: output.includeFederatedTrustBundles,
      ask: async ({ publicKey }) =>
        onlySvid(await session.workloads.issueX509(selector, { publicKey, ttlMs }), selector, path),
    });
    work.run.progress.done('certificates', `X.509 SVID for ${path}: ${spiffeId}`);
    const { roles } = session.issued.identity;
    const issued = { identity: { roles, expiresAtMs }, notices };
    return finishOutput(output, work, { issued, place: placeOf(destination, work.run), files });
  });
}
