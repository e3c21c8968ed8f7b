/** The output type `spiffe-svid`: SVIDs for a SPIFFE ID from the configuration, from clusters up to Teleport 17. */
import { isIP } from 'node:net';
import * as z from 'zod/mini';
import type { AuthSession } from '../auth/session.ts';
import { checkJwtSvid } from '../auth/svid.ts';
import type { KeyPair } from '../crypto/keys.ts';
import { hasControlCharacters, MachineIdError } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import {
  type Field,
  flag,
  ignored,
  list,
  refuse,
  requiredPath,
  requiredText,
  section,
  text,
  textList,
} from '../schema/fields.ts';
import { documentation, key, keys, type ValuesOf, whenTrue } from '../schema/keys.ts';
import { X509_SVID_FILES } from './file-list.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { readJwtSvid, readX509Svid, withExpiryOnly } from './read-back.ts';
import { finishOutput, outputLocation, type OutputWork, withOwnSession } from './work.ts';
import { jwtSvidFile } from './workload-identity.ts';
import { FEDERATED_HELP, fetchX509Svid } from './x509-svid.ts';

interface SvidRequest {
  /** Begins with `/`. */
  readonly path: string;
  readonly hint: string | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** `rules` decide which workload gets the SVID; they only matter to a service that listens. */
export const svidRequest: Field<SvidRequest> = z.pipe(
  section({
    path: requiredText('svid.path: should not be empty'),
    hint: text,
    sans: section({ dns: textList, ip: textList }),
    rules: ignored,
  }),
  z.transform(({ path, hint, sans }, context): SvidRequest => {
    if (!path.startsWith('/')) refuse(context, 'svid.path: should be prefixed with /', ['path']);
    sans.ip.forEach((address, index) => {
      if (isIP(address) === 0) {
        refuse(context, `ip_sans[${index}]: invalid IP address "${address}"`, ['sans', 'ip', index]);
      }
    });
    return { path, hint, dnsNames: sans.dns, ipAddresses: sans.ip };
  }),
);

/** Names that the files of the X.509 SVID have. */
const SVID_FILES: readonly string[] = ['svid_key.pem', 'svid.pem', 'svid_bundle.pem', 'svid_crl.pem'];

/** tbot would follow a path that leads out of the destination. */
function isPlainName(name: string): boolean {
  return /^[^/\\]+$/.test(name) && !hasControlCharacters(name) && name !== '.' && name !== '..';
}

const jwtRequest = z.pipe(
  section({
    audience: requiredText('audience: should not be empty'),
    file_name: requiredPath('name: should not be empty'),
  }),
  z.transform(({ audience, file_name: fileName }, context) => {
    if (!isPlainName(fileName) || SVID_FILES.includes(fileName)) {
      refuse(
        context,
        `file_name: "${fileName}" must be a file name without a folder, and different from the names of the other files`,
        ['file_name'],
      );
    }
    return { audience, fileName };
  }),
);

interface JwtRequest {
  readonly audience: string;
  readonly fileName: string;
}

const jwtRequests: Field<readonly JwtRequest[]> = z.pipe(
  list(jwtRequest),
  z.transform((requests: readonly JwtRequest[], context) => {
    const names = requests.map(({ fileName }) => fileName);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    return twice === undefined ? requests : refuse(context, `jwts: two have the file_name "${twice}"`);
  }),
);

const spiffeSvidKeys = keys({
  svid: key(
    'svid',
    svidRequest,
    documentation('The X.509 SVID: `path`, `hint`, and `sans` with lists `dns` and `ip`.'),
    {
      write: ({ path, hint, dnsNames: dns, ipAddresses: ip }) => ({ path, hint, sans: { dns, ip } }),
    },
  ),
  jwts: key(
    'jwts',
    jwtRequests,
    documentation('JWT SVIDs for the same SPIFFE ID, each with `audience` and `file_name`.'),
    {
      write: (jwts) => jwts.map(({ audience, fileName }) => ({ audience, file_name: fileName })),
    },
  ),
  includeFederatedTrustBundles: key('include_federated_trust_bundles', flag, FEDERATED_HELP, { write: whenTrue }),
});

type SpiffeSvid = OutputOf<'spiffe-svid', ValuesOf<typeof spiffeSvidKeys>>;

export const spiffeSvid = outputType('spiffe-svid', {
  help: documentation('An X.509 SVID and JWT SVIDs for a SPIFFE ID from the configuration, up to Teleport 17.'),
  keys: spiffeSvidKeys,
  limitTtl: false,
  resource: ({ svid }) => svid.path,
  produce,
  files: [
    ...X509_SVID_FILES,
    {
      name: '`file_name`',
      help: documentation('One JWT SVID'),
      names: ({ jwts }) => jwts.map(({ fileName }) => fileName),
    },
  ],
  readBack: ({ jwts }, files) => {
    const all = [readX509Svid(files), ...jwts.map(({ fileName }) => readJwtSvid(fileName, files))];
    return withExpiryOnly(Math.min(...all.map(({ expiresAtMs }) => expiresAtMs)));
  },
});

async function produce(output: SpiffeSvid, work: OutputWork): Promise<WrittenOutput> {
  const { svid: name, ttlMs, path, destination } = output;
  return withOwnSession(output, work, async (session) => {
    const ask = async ({ publicKey }: KeyPair) =>
      (await session.spiffe.signX509(name, { publicKey, ttlMs })) ?? none('X.509 SVID');
    const [{ spiffeId, files, expiresAtMs, notices }, tokens] = await Promise.all([
      fetchX509Svid(session, work, { ttlMs, federated: output.includeFederatedTrustBundles, ask }),
      jwtFiles(output, session, work),
    ]);
    work.run.journal.outputDone('certificates', `SVIDs for ${path}: ${spiffeId}`);
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
  throw new MachineIdError(
    'RESPONSE_INVALID',
    `the response of the Auth Service does not contain the requested ${what}`,
    {
      hint: 'Run the job again; if the error persists, report it with the version of the cluster.',
    },
  );
}
