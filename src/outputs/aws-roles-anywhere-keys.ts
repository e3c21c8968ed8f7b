/** The keys of an output of type `workload-identity-aws-roles-anywhere`, and the rules for their values. */
import * as z from 'zod/mini';
import { type Context, duration, type Field, flag, pathText, refuse, requiredText, text } from '../schema/fields.ts';
import { documentation, joined, key, keys, type ValuesOf } from '../schema/keys.ts';
import { goDuration } from '../schema/values.ts';
import { type Arn, parseArn } from './aws-session.ts';
import { SELECTOR_KEYS } from './selectors.ts';
import { hasControlCharacters } from '../errors.ts';

const HOUR_MS = 60 * 60 * 1000;
const MIN_SESSION_MS = 15 * 60 * 1000;

export const AWS_KEYS = joined(
  SELECTOR_KEYS,
  keys({
    roleArn: key('role_arn', requiredText('role_arn: must be set'), documentation('The role to get credentials of.')),
    profileArn: key(
      'profile_arn',
      requiredText('profile_arn: must be set'),
      documentation('The profile of IAM Roles Anywhere.'),
    ),
    trustAnchorArn: key(
      'trust_anchor_arn',
      requiredText('trust_anchor_arn: must be set'),
      documentation("The trust anchor with the cluster's authority for workloads."),
    ),
    region: key('region', text, documentation('The AWS region, by default that of the trust anchor.')),
    sessionDurationMs: key(
      'session_duration',
      durationOr(6 * HOUR_MS),
      documentation('Lifetime of the credentials: 15 minutes to 12 hours, by default `6h`.'),
      { write: goDuration },
    ),
    sessionRenewalIntervalMs: key(
      'session_renewal_interval',
      durationOr(HOUR_MS),
      documentation('Less than `session_duration`, by default `1h`; a single run renews nothing.'),
      { write: goDuration },
    ),
    credentialProfileName: key(
      'credential_profile_name',
      textOr(text, 'default'),
      documentation('The profile in the credentials file, by default `default`.'),
    ),
    artifactName: key(
      'artifact_name',
      textOr(pathText, 'aws_credentials'),
      documentation('The name of the credentials file, by default `aws_credentials`.'),
    ),
    overwriteCredentialFile: key(
      'overwrite_credential_file',
      flag,
      documentation('Drops the other profiles in the file.'),
    ),
  }),
);

type AwsValues = ValuesOf<typeof AWS_KEYS>;

function durationOr(defaultMs: number): Field<number> {
  return z.pipe(
    duration,
    z.transform((given: number | undefined) => given ?? defaultMs),
  );
}

function textOr(field: Field<string | undefined>, byDefault: string): Field<string> {
  return z.pipe(
    field,
    z.transform((given: string | undefined) => given ?? byDefault),
  );
}

export function checkAwsKeys(values: AwsValues, context: Context): void {
  checkArn('role_arn', values.roleArn, context);
  checkArn('profile_arn', values.profileArn, context);
  checkArn('trust_anchor_arn', values.trustAnchorArn, context);
  checkRegions(values, context);
  checkNames(values, context);
  checkSession(values, context);
}

/** By the key, the service and the kind of resource that an ARN must name. */
const ARNS = {
  role_arn: ['iam', 'role/'],
  profile_arn: ['rolesanywhere', 'profile/'],
  trust_anchor_arn: ['rolesanywhere', 'trust-anchor/'],
} as const;

function checkArn(name: keyof typeof ARNS, text: string, context: Context): void {
  const [service, kind] = ARNS[name];
  if (fits(parseArn(text), service, kind)) return;
  refuse(context, `${name}: ${JSON.stringify(text)} is not an ARN of the form arn:aws:${service}:…:${kind}…`, [name]);
}

/** Roles have no region; everything of Roles Anywhere has one. */
function fits(arn: Arn | undefined, service: string, kind: string): boolean {
  return arn?.service === service && arn.resource.startsWith(kind) && (arn.region === '') === (service === 'iam');
}

/** A profile and a trust anchor work within one region, whose name becomes part of a host name. */
function checkRegions({ profileArn, region, trustAnchorArn }: AwsValues, context: Context): void {
  if (region !== undefined && !/^[a-z0-9-]+$/.test(region)) {
    refuse(context, `region: ${JSON.stringify(region)} is not an AWS region, such as eu-central-1`, ['region']);
  }
  const profile = parseArn(profileArn)?.region ?? '';
  const anchor = parseArn(trustAnchorArn)?.region ?? '';
  if (profile !== '' && anchor !== '' && profile !== anchor) {
    const message = `profile_arn: its region "${profile}" is not "${anchor}", the region of trust_anchor_arn`;
    refuse(context, message, ['profile_arn']);
  }
}

/** One becomes the name of a file, the other a line in it. */
function checkNames({ artifactName: file, credentialProfileName: profile }: AwsValues, context: Context): void {
  if (!/^[^/\\]+$/.test(file) || file === '.' || file === '..') {
    refuse(context, `artifact_name: ${JSON.stringify(file)} is not a file name`, ['artifact_name']);
  }
  if (!/^[^\]]+$/.test(profile) || hasControlCharacters(profile)) {
    refuse(context, `credential_profile_name: ${JSON.stringify(profile)} is not a profile name`, [
      'credential_profile_name',
    ]);
  }
}

function checkSession({ sessionDurationMs, sessionRenewalIntervalMs }: AwsValues, context: Context): void {
  if (sessionDurationMs >= 0 && sessionDurationMs < MIN_SESSION_MS) {
    refuse(context, 'session_duration: AWS sessions last at least 15 minutes', ['session_duration']);
  }
  if (sessionDurationMs < 0 || sessionDurationMs > 12 * HOUR_MS) {
    refuse(context, 'session_duration: must be positive and less than or equal to 12 hours', ['session_duration']);
  }
  if (sessionRenewalIntervalMs < 0 || sessionRenewalIntervalMs >= sessionDurationMs) {
    const message = 'session_renewal_interval: must be positive and less than session_duration';
    refuse(context, message, ['session_renewal_interval']);
  }
}
