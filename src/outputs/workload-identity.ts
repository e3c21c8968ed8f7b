/** The output types `workload-identity-x509` and `workload-identity-jwt`: an SVID for one workload identity. */
import * as z from 'zod/mini';
import { shortenedLifetime } from '../auth/issue.ts';
import { type CheckedJwtSvid, checkJwtSvid } from '../auth/svid.ts';
import { describeSelector, type Named, type WorkloadSelector } from '../auth/workload-api.ts';
import { MachineIdError } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import { type Field, flag, refuse, textList } from '../schema/fields.ts';
import { documentation, joined, key, keys, type ValuesOf, whenTrue } from '../schema/keys.ts';
import { X509_SVID_FILES } from './file-list.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { readJwtSvid, readX509Svid } from './read-back.ts';
import { SELECTOR_KEYS, selectorText } from './selectors.ts';
import { finishOutput, outputLocation, type OutputWork, withOwnSession } from './work.ts';
import { FEDERATED_HELP, fetchX509Svid } from './x509-svid.ts';

const x509Keys = joined(
  SELECTOR_KEYS,
  keys({
    includeFederatedTrustBundles: key('include_federated_trust_bundles', flag, FEDERATED_HELP, { write: whenTrue }),
  }),
);

type X509Output = OutputOf<'workload-identity-x509', ValuesOf<typeof x509Keys>>;

/** With its key, its bundle and the list of revoked SVIDs. */
export const workloadIdentityX509 = outputType('workload-identity-x509', {
  help: documentation('An X.509 SVID for a workload identity resource. Requires Teleport 17.'),
  keys: x509Keys,
  limitTtl: false,
  resource: ({ selector }) => selectorText(selector),
  produce: produceX509,
  files: X509_SVID_FILES,
  readBack: (_output, files) => readX509Svid(files),
});

async function produceX509(output: X509Output, work: OutputWork): Promise<WrittenOutput> {
  const { selector, ttlMs, path, destination } = output;
  return withOwnSession(output, work, async (session) => {
    const { spiffeId, files, expiresAtMs, notices } = await fetchX509Svid(session, work, {
      ttlMs,
      federated: output.includeFederatedTrustBundles,
      ask: async ({ publicKey }) =>
        singleSvid(await session.workloads.issueX509(selector, { publicKey, ttlMs }), selector, path),
    });
    work.run.journal.outputDone('certificates', `X.509 SVID for ${path}: ${spiffeId}`);
    const { roles } = session.issued.identity;
    const issued = { identity: { roles, expiresAtMs }, notices };
    return finishOutput(output, work, { issued, location: outputLocation(destination, work.run), files });
  });
}

const audiences: Field<readonly string[]> = z.pipe(
  textList,
  z.transform((given: readonly string[], context) =>
    given.length > 0 ? given : refuse(context, 'audiences: must have at least one value'),
  ),
);

const jwtKeys = joined(
  SELECTOR_KEYS,
  keys({ audiences: key('audiences', audiences, documentation('The recipients of the JWT, at least one.')) }),
);

type JwtOutput = OutputOf<'workload-identity-jwt', ValuesOf<typeof jwtKeys>>;

export const workloadIdentityJwt = outputType('workload-identity-jwt', {
  help: documentation('A JWT SVID for a workload identity resource. Requires Teleport 17.'),
  keys: jwtKeys,
  limitTtl: false,
  resource: ({ selector }) => selectorText(selector),
  produce: produceJwt,
  files: [{ name: 'jwt_svid', help: documentation('The JWT and nothing else') }],
  readBack: (_output, files) => readJwtSvid('jwt_svid', files),
});

async function produceJwt(output: JwtOutput, work: OutputWork): Promise<WrittenOutput> {
  const { run, joined } = work;
  const { clock } = run.world;
  const { selector, audiences, ttlMs, path } = output;
  const { svid, roles, askedMs } = await withOwnSession(output, work, async ({ workloads, issued }) => {
    const askedMs = clock.nowMs() + ttlMs;
    const svids = await workloads.issueJwt(selector, { audiences, ttlMs });
    return { svid: singleSvid(svids, selector, path), roles: issued.identity.roles, askedMs };
  });
  const checked = checkJwtSvid(svid, { audiences, trustDomain: joined.bot.clusterName, askedMs, nowMs: clock.nowMs() });
  run.journal.outputDone('certificates', `JWT SVID for ${path}: ${checked.spiffeId}`);
  const { expiresAtMs } = checked;
  const notices = [shortenedLifetime(askedMs, expiresAtMs, 'its maximum for a workload'), checked.clockNotice].filter(
    (notice) => notice !== undefined,
  );
  return finishOutput(output, work, {
    issued: { identity: { roles, expiresAtMs }, notices },
    location: outputLocation(output.destination, run),
    files: [jwtSvidFile('jwt_svid', checked)],
  });
}

/**
 * The only SVID: an output contains no more.
 * @param place as in `outputs[0]`
 * @throws MachineIdError RESOURCE_UNKNOWN
 */
export function singleSvid<T extends object>(svids: readonly Named<T>[], selector: WorkloadSelector, place: string): T {
  const [svid, ...others] = svids;
  const wanted = describeSelector(selector);
  if (svid === undefined) {
    throw new MachineIdError('RESOURCE_UNKNOWN', `${place}.selector: there is no ${wanted} that the output may use`, {
      hint: 'Compare the labels with those of "tctl get workload_identity", and with workload_identity_labels of the roles.',
    });
  }
  if (others.length === 0) return svid;
  const names = svids.map(({ name }) => name).join(', ');
  throw new MachineIdError('RESOURCE_UNKNOWN', `${place}.selector: more than one ${wanted}: ${names}`, {
    hint: 'Select one of them by its name, or by more labels. Use a separate output for each of the others.',
  });
}

/** The token alone, without a line break. */
export function jwtSvidFile(name: string, { jwt }: CheckedJwtSvid): OutputFile {
  return { name, contents: jwt.reveal() };
}
