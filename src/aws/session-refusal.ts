/** Explains why IAM Roles Anywhere gave no session. */
import * as z from 'zod/mini';
import { counted, MachineIdError } from '../errors.ts';
import { oneLine } from '../teleport/trace-error.ts';

export interface SessionReply {
  readonly status: number;
  /** The name of an error. */
  readonly type: string;
  readonly text: string;
  /** By the clock of AWS; NaN when it does not say. */
  readonly sentMs: number;
  readonly retryAfterMs: number | undefined;
}

export interface SessionArns {
  readonly roleArn: string;
  readonly profileArn: string;
  readonly trustAnchorArn: string;
}

export function unreadable({ host }: URL): MachineIdError {
  return new MachineIdError('REPLY_INVALID', `${host} answered without credentials that can be read`, {
    hint: 'Check that the endpoint (AWS_ENDPOINT_URL_ROLESANYWHERE) is the one of IAM Roles Anywhere.',
  });
}

const Failure = z.object({ message: z.optional(z.string()), Message: z.optional(z.string()) });

export function busy({ host }: URL, reply: SessionReply): MachineIdError {
  return new MachineIdError('AWS_UNREACHABLE', `IAM Roles Anywhere at ${host} is busy: ${saidBy(reply)}`, {
    hint: 'Run the job again. If it stays, look at the health of the region in AWS.',
    passing: { afterMs: reply.retryAfterMs },
  });
}

function saidBy({ status, text, type }: SessionReply): string {
  const said = oneLine(messageOf(text));
  const name = type === '' ? `HTTP status ${status}` : `${oneLine(type)} (HTTP status ${status})`;
  return `${name}${said === '' ? '' : `: ${said}`}`;
}

export function refused(arns: SessionArns, reply: SessionReply, nowMs: number): MachineIdError {
  const { sentMs, status } = reply;
  return new MachineIdError(
    'AWS_REFUSED',
    `IAM Roles Anywhere refused a session of ${arns.roleArn}: ${saidBy(reply)}`,
    { hint: skewHint(nowMs - sentMs) ?? (status === 403 ? accessHint(arns) : SETTINGS_HINT) },
  );
}

const SETTINGS_HINT =
  'Compare role_arn, profile_arn, trust_anchor_arn, region and session_duration with what is set up in AWS.';

function accessHint({ profileArn, trustAnchorArn }: SessionArns): string {
  return `Check in this order: the trust anchor ${trustAnchorArn} is enabled and holds the cluster's SPIFFE authority (tctl auth export --type tls-spiffe); the profile ${profileArn} is enabled and lists the role; the role's trust policy lets rolesanywhere.amazonaws.com assume it, tag the session and set its source identity, and its conditions fit the SPIFFE ID.`;
}

/** AWS accepts a signature for five minutes (Signature Version 4). */
const MOST_SKEW_MS = 5 * 60 * 1000;

function skewHint(aheadMs: number): string | undefined {
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  if (!(Math.abs(aheadMs) >= MOST_SKEW_MS)) return undefined;
  return `Set the clock of this machine: it is ${counted(minutes, 'minute')} ${aheadMs > 0 ? 'ahead of' : 'behind'} that of AWS.`;
}

function messageOf(text: string): string {
  try {
    const { data } = z.safeParse(Failure, JSON.parse(text));
    return data?.message ?? data?.Message ?? '';
  } catch {
    return '';
  }
}
