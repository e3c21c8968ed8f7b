/** Outputs that hold workload identities, which are SPIFFE documents rather than Teleport's own certificates. */
import { isIP } from 'node:net';
import * as z from 'zod/mini';
import { type Arn, parseArn } from '../outputs/aws-session.ts';
import type {
  AwsRolesAnywhereOutput,
  Selector,
  SpiffeSvidOutput,
  SvidRequest,
  WorkloadIdentityJwtOutput,
  WorkloadIdentityX509Output,
} from '../outputs/output.ts';
import { COMMON, commonOf, itemSection } from '../schema/common.ts';
import { destination } from '../schema/destination.ts';
import {
  type Context,
  duration,
  type Field,
  flag,
  ignored,
  list,
  pathText,
  record,
  refuse,
  requiredPath,
  requiredText,
  section,
  text,
  textList,
} from '../schema/fields.ts';

/** `rules` decide which workload may have the SVID, and only a listening service knows workloads. */
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

/** What else an output of SVIDs writes into its destination. */
const SVID_FILES: readonly string[] = ['svid_key.pem', 'svid.pem', 'svid_bundle.pem', 'svid_crl.pem'];

/** tbot would follow the way out of the destination. */
function isPlainName(name: string): boolean {
  return /^[^/\\\p{Cc}]+$/u.test(name) && name !== '.' && name !== '..';
}

const jwtRequest = z.pipe(
  section({
    audience: requiredText('audience: should not be empty'),
    file_name: requiredPath('name: should not be empty'),
  }),
  z.transform(({ audience, file_name: fileName }, context) => {
    if (!isPlainName(fileName) || SVID_FILES.includes(fileName)) {
      refuse(context, `file_name: "${fileName}" must be the name of a file of its own, without a folder`, [
        'file_name',
      ]);
    }
    return { audience, fileName };
  }),
);

export const spiffeSvid: Field<SpiffeSvidOutput> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    svid: svidRequest,
    jwts: list(jwtRequest),
    include_federated_trust_bundles: flag,
  }),
  z.transform((fields, context): SpiffeSvidOutput => {
    const names = fields.jwts.map(({ fileName }) => fileName);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) refuse(context, `jwts: two have the file_name "${twice}"`, ['jwts']);
    return {
      type: 'spiffe-svid',
      ...commonOf(fields, context, { limitTtl: false }),
      destination: fields.destination,
      svid: fields.svid,
      jwts: fields.jwts,
      includeFederatedTrustBundles: fields.include_federated_trust_bundles,
    };
  }),
);

export const selector: Field<Selector> = z.pipe(
  section({ name: text, labels: record(textList) }),
  z.transform(({ name, labels }, context): Selector => {
    const labelled = Object.keys(labels).length > 0;
    if (name === undefined && !labelled) refuse(context, "one of ['name', 'labels'] must be set");
    if (name !== undefined && labelled) refuse(context, "at most one of ['name', 'labels'] can be set");
    for (const [label, values] of Object.entries(labels)) {
      if (values.length === 0) refuse(context, `labels[${label}]: must have at least one value`, ['labels', label]);
    }
    return { name, labels };
  }),
);

export const workloadIdentityX509: Field<WorkloadIdentityX509Output> = z.pipe(
  itemSection({ ...COMMON, destination, selector, include_federated_trust_bundles: flag }),
  z.transform((fields, context): WorkloadIdentityX509Output => ({
    type: 'workload-identity-x509',
    ...commonOf(fields, context, { limitTtl: false }),
    destination: fields.destination,
    selector: fields.selector,
    includeFederatedTrustBundles: fields.include_federated_trust_bundles,
  })),
);

export const workloadIdentityJwt: Field<WorkloadIdentityJwtOutput> = z.pipe(
  itemSection({ ...COMMON, destination, selector, audiences: textList }),
  z.transform((fields, context): WorkloadIdentityJwtOutput => {
    if (fields.audiences.length === 0) refuse(context, 'audiences: must have at least one value', ['audiences']);
    return {
      type: 'workload-identity-jwt',
      ...commonOf(fields, context, { limitTtl: false }),
      destination: fields.destination,
      selector: fields.selector,
      audiences: fields.audiences,
    };
  }),
);

const HOUR_MS = 60 * 60 * 1000;
const MIN_SESSION_MS = 15 * 60 * 1000;

export const awsRolesAnywhere: Field<AwsRolesAnywhereOutput> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    selector,
    role_arn: requiredText('role_arn: must be set'),
    profile_arn: requiredText('profile_arn: must be set'),
    trust_anchor_arn: requiredText('trust_anchor_arn: must be set'),
    region: text,
    session_duration: duration,
    session_renewal_interval: duration,
    credential_profile_name: text,
    artifact_name: pathText,
    overwrite_credential_file: flag,
  }),
  z.transform((fields, context): AwsRolesAnywhereOutput => {
    refuseArns(fields, context);
    refuseRegions(fields, context);
    refuseNames(fields, context);
    return {
      type: 'workload-identity-aws-roles-anywhere',
      ...commonOf(fields, context, { limitTtl: false }),
      destination: fields.destination,
      selector: fields.selector,
      roleArn: fields.role_arn,
      profileArn: fields.profile_arn,
      trustAnchorArn: fields.trust_anchor_arn,
      region: fields.region,
      ...sessionOf(fields, context),
      credentialProfileName: fields.credential_profile_name ?? 'default',
      artifactName: fields.artifact_name ?? 'aws_credentials',
      overwriteCredentialFile: fields.overwrite_credential_file,
    };
  }),
);

/** By the key, the service and the kind of resource that an ARN must name. */
const ARNS = {
  role_arn: ['iam', 'role/'],
  profile_arn: ['rolesanywhere', 'profile/'],
  trust_anchor_arn: ['rolesanywhere', 'trust-anchor/'],
} as const;

function refuseArns(fields: Readonly<Record<keyof typeof ARNS, string>>, context: Context): void {
  for (const key of ['role_arn', 'profile_arn', 'trust_anchor_arn'] as const) {
    const [service, kind] = ARNS[key];
    const arn = parseArn(fields[key]);
    if (fields[key] === '' || fits(arn, service, kind)) continue;
    refuse(context, `${key}: ${JSON.stringify(fields[key])} is no ARN of the form arn:aws:${service}:…:${kind}…`, [
      key,
    ]);
  }
}

/** Roles are of no region; everything of Roles Anywhere is of one. */
function fits(arn: Arn | undefined, service: string, kind: string): boolean {
  return arn?.service === service && arn.resource.startsWith(kind) && (arn.region === '') === (service === 'iam');
}

/** A profile and a trust anchor work within one region, whose name becomes part of a host's. */
function refuseRegions(
  fields: {
    readonly profile_arn: string;
    readonly region: string | undefined;
    readonly trust_anchor_arn: string;
  },
  context: Context,
): void {
  const { region } = fields;
  if (region !== undefined && !/^[a-z0-9-]+$/.test(region)) {
    refuse(context, `region: ${JSON.stringify(region)} is no region of AWS, such as eu-central-1`, ['region']);
  }
  const profile = parseArn(fields.profile_arn)?.region ?? '';
  const anchor = parseArn(fields.trust_anchor_arn)?.region ?? '';
  if (profile !== '' && anchor !== '' && profile !== anchor) {
    const message = `profile_arn: its region "${profile}" is not "${anchor}", that of trust_anchor_arn`;
    refuse(context, message, ['profile_arn']);
  }
}

/** Both become part of files. */
function refuseNames(
  fields: { readonly artifact_name: string | undefined; readonly credential_profile_name: string | undefined },
  context: Context,
): void {
  const { artifact_name: file = 'a', credential_profile_name: profile = 'a' } = fields;
  if (!/^[^/\\]+$/.test(file) || file === '.' || file === '..') {
    refuse(context, `artifact_name: ${JSON.stringify(file)} is no name of a file`, ['artifact_name']);
  }
  if (!/^[^\]\p{Cc}]+$/u.test(profile)) {
    refuse(context, `credential_profile_name: ${JSON.stringify(profile)} is no name of a profile`, [
      'credential_profile_name',
    ]);
  }
}

function sessionOf(
  fields: { readonly session_duration: number | undefined; readonly session_renewal_interval: number | undefined },
  context: Context,
): Pick<AwsRolesAnywhereOutput, 'sessionDurationMs' | 'sessionRenewalIntervalMs'> {
  const sessionDurationMs = fields.session_duration ?? 6 * HOUR_MS;
  const sessionRenewalIntervalMs = fields.session_renewal_interval ?? HOUR_MS;
  if (sessionDurationMs >= 0 && sessionDurationMs < MIN_SESSION_MS) {
    refuse(context, 'session_duration: AWS gives sessions of 15 minutes at least', ['session_duration']);
  }
  if (sessionDurationMs < 0 || sessionDurationMs > 12 * HOUR_MS) {
    refuse(context, 'session_duration: must be positive and less than or equal to 12 hours', ['session_duration']);
  }
  if (sessionRenewalIntervalMs < 0 || sessionRenewalIntervalMs >= sessionDurationMs) {
    const message = 'session_renewal_interval: must be positive and less than session_duration';
    refuse(context, message, ['session_renewal_interval']);
  }
  return { sessionDurationMs, sessionRenewalIntervalMs };
}
