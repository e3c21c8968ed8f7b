/** The output type `workload-identity-aws-roles-anywhere`: AWS credentials of a role, in exchange for an X.509 SVID. */
import { documentation } from '../schema/keys.ts';
import { join } from 'node:path';
import { shortenedLifetime } from '../auth/issue.ts';
import { derOf } from '../crypto/x509.ts';
import { MachineIdError } from '../errors.ts';
import { withProfile } from '../files/aws-profile.ts';
import type { OutputFile } from '../files/destination.ts';
import type { ValuesOf } from '../schema/keys.ts';
import { AWS_KEYS, checkAwsKeys } from './aws-roles-anywhere-keys.ts';
import { type AwsCredentials, createSession, endpointOf } from './aws-session.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { type CredentialFiles, type Credentials, fileFailure, withExpiryOnly } from './read-back.ts';
import {
  finishOutput,
  type OutputLocation,
  outputLocation,
  type OutputWork,
  type RunContext,
  withOwnSession,
} from './work.ts';
import { singleSvid } from './workload-identity.ts';
import { requestSvid } from './x509-svid.ts';

type AwsOutput = OutputOf<'workload-identity-aws-roles-anywhere', ValuesOf<typeof AWS_KEYS>>;

export const awsRolesAnywhere = outputType('workload-identity-aws-roles-anywhere', {
  help: documentation(
    'AWS credentials of a role, from IAM Roles Anywhere in exchange for an X.509 SVID. Requires Teleport 17.',
  ),
  keys: AWS_KEYS,
  check: checkAwsKeys,
  limitTtl: false,
  resource: ({ roleArn }) => roleArn,
  use: ({ region, trustAnchorArn }) => ({ kind: 'aws', region, trustAnchorArn }),
  produce,
  files: [
    {
      name: '`artifact_name`',
      help: documentation('The profile with the credentials, in a file of AWS profiles'),
      names: ({ artifactName }) => [artifactName],
    },
  ],
  readBack,
  awsProfile: ({ credentialProfileName }) => credentialProfileName,
});

const MAX_FILE_BYTES = 1024 * 1024;

/** The SVID is used for this exchange only, so it can be shorter than the lifetime of the output. */
const SVID_TTL_MS = 10 * 60 * 1000;

/** @throws MachineIdError AWS_UNREACHABLE, AWS_REFUSED, and as asking, checking and writing do */
async function produce(output: AwsOutput, work: OutputWork): Promise<WrittenOutput> {
  const { path, roleArn, selector, sessionDurationMs } = output;
  const { run } = work;
  const ttlMs = Math.min(output.ttlMs, SVID_TTL_MS);
  const endpoint = endpointOf(output, run.world.environment);
  const settings = await settingsOf(run);
  return withOwnSession(output, work, async (session) => {
    const { keyPair, svid } = await requestSvid(session, work, {
      ttlMs,
      ask: async ({ publicKey }) =>
        singleSvid(await session.workloads.issueX509(selector, { publicKey, ttlMs }), selector, path),
    });
    run.journal.outputDone('certificates', `X.509 SVID for ${path}: ${svid.spiffeId}`);
    const [certificate = new Uint8Array(), ...chain] = svid.certificatesPem.map(derOf);
    const askedMs = run.world.clock.nowMs() + sessionDurationMs;
    const request = {
      ...output,
      ...endpoint,
      durationMs: sessionDurationMs,
      keyPair,
      certificate,
      chain,
    };
    const credentials = await createSession(request, settings);
    run.world.mask.hide(credentials.secretAccessKey.reveal());
    run.world.mask.hide(credentials.sessionToken.reveal());
    run.journal.outputDone('aws', `AWS session of ${roleArn}`);
    const { expiresAtMs } = credentials;
    const { roles } = session.issued.identity;
    const location = outputLocation(output.destination, run);
    return finishOutput(output, work, {
      issued: {
        identity: { roles, expiresAtMs },
        notices: [shortenedLifetime(askedMs, expiresAtMs, 'the profile in AWS')].filter(
          (notice) => notice !== undefined,
        ),
      },
      location,
      files: [await credentialsFile(output, credentials, location, run)],
      access: { kind: 'aws', role: roleArn, profile: output.credentialProfileName },
    });
  });
}

async function settingsOf({ network, retries, trace, world }: RunContext) {
  const { clock, environment, files, signal } = world;
  const { AWS_CA_BUNDLE: path = '' } = environment;
  const ca = path === '' ? undefined : await readCaBundle(path, files);
  return { ca, clock, network, retries, signal, trace };
}

async function readCaBundle(path: string, files: RunContext['world']['files']): Promise<string> {
  try {
    return await files.readText(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    throw new MachineIdError('AWS_UNREACHABLE', `cannot read ${path}, which AWS_CA_BUNDLE names`, {
      hint: 'Set the variable to the path of a PEM file, or unset it.',
      cause,
    });
  }
}

/** Keeps the other profiles of an existing file, unless they are to be overwritten. */
async function credentialsFile(
  { artifactName: name, credentialProfileName: profile, overwriteCredentialFile }: AwsOutput,
  { accessKeyId, expiresAtMs, secretAccessKey, sessionToken }: AwsCredentials,
  { directory }: OutputLocation,
  { world }: RunContext,
): Promise<OutputFile> {
  const path = directory === undefined || overwriteCredentialFile ? undefined : join(directory, name);
  const stands = path !== undefined && (await world.files.entry(path))?.kind === 'file';
  const before = stands ? await world.files.readText(path, { maxBytes: MAX_FILE_BYTES }) : '';
  const contents = withProfile(before, profile, {
    accessKeyId,
    expiresAtMs,
    secretAccessKey: secretAccessKey.reveal(),
    sessionToken: sessionToken.reveal(),
  });
  return { name, contents, ...(before === '' ? {} : { awsProfile: profile }) };
}

/** Versions of tbot write the time differently or not at all; AWS refuses a session that is longer than it allows. */
function readBack(output: AwsOutput, files: CredentialFiles): Credentials {
  const { artifactName, credentialProfileName: profile, roleArn: role, sessionDurationMs } = output;
  const lines = (files.contents.get(artifactName) ?? '').split('\n').map((line) => line.trim());
  if (!lines.includes(`[${profile}]`)) throw fileFailure(artifactName, `does not contain the profile ${profile}`);
  return { ...withExpiryOnly(files.nowMs + sessionDurationMs), access: { kind: 'aws', role, profile } };
}
