/** Produces a `spiffe-svid` output: SVIDs of a name that the configuration gives, from clusters up to Teleport 17. */
import type { AuthSession } from '../auth/session.ts';
import { checkJwtSvid } from '../auth/svid.ts';
import type { KeyPair } from '../crypto/keys.ts';
import { MachineIdError } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import type { WrittenOutput } from './journal.ts';
import type { Supported } from './output.ts';
import { finishOutput, outputLocation, type OutputWork, withOwnSession } from './work.ts';
import { jwtSvidFile } from './workload-identity.ts';
import { fetchX509Svid } from './x509-svid.ts';

type SpiffeSvid = Supported<'spiffe-svid'>;

/** @throws MachineIdError as asking, checking and writing do */
export async function produceSpiffeSvid(output: SpiffeSvid, work: OutputWork): Promise<WrittenOutput> {
  const { svid: name, ttlMs, path, destination } = output;
  return withOwnSession(output, work, async (session) => {
    const ask = async ({ publicKey }: KeyPair) =>
      (await session.spiffe.signX509(name, { publicKey, ttlMs })) ?? none('X.509 SVID');
    const [{ spiffeId, files, expiresAtMs, notices }, tokens] = await Promise.all([
      fetchX509Svid(session, work, { ttlMs, federated: output.includeFederatedTrustBundles, ask }),
      jwtFiles(output, session, work),
    ]);
    work.run.progress.done('certificates', `SVIDs for ${path}: ${spiffeId}`);
    const { roles } = session.issued.identity;
    const issued = { identity: { roles, expiresAtMs }, notices };
    return finishOutput(output, work, {
      issued,
      location: outputLocation(destination, work.run),
      files: [...files, ...tokens],
    });
  });
}

/** In the configuration's order. */
async function jwtFiles(
  { svid: name, jwts, ttlMs }: SpiffeSvid,
  { spiffe }: AuthSession,
  { joined, run }: OutputWork,
): Promise<OutputFile[]> {
  const { clusterName: trustDomain } = joined.bot;
  const { clock } = run.world;
  return Promise.all(
    jwts.map(async ({ audience, fileName }) => {
      const askedMs = clock.nowMs() + ttlMs;
      const svid = (await spiffe.signJwt(name, { audience, ttlMs })) ?? none('JWT SVID');
      const expected = { audiences: [audience], trustDomain, askedMs, nowMs: clock.nowMs() };
      return jwtSvidFile(fileName, checkJwtSvid(svid, expected));
    }),
  );
}

function none(what: string): never {
  throw new MachineIdError('RESPONSE_INVALID', `the Auth Service answered without the ${what} that was asked for`, {
    hint: 'Run the job again; if it stays, report the version of the cluster: its answer differs from the known ones.',
  });
}
