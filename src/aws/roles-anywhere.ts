/** IAM Roles Anywhere: AWS credentials of a role, for a certificate that a trust anchor vouches for. */
import fetch, { type Response } from 'node-fetch';
import * as z from 'zod/mini';
import type { KeyPair } from '../crypto/keys.ts';
import type { Clock } from '../effects/clock.ts';
import { withDeadline } from '../effects/deadline.ts';
import { retry } from '../effects/retry.ts';
import { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { networkFault } from '../teleport/network-error.ts';
import { oneLine } from '../teleport/trace-error.ts';
import { openAgent } from '../teleport/traced-agent.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';
import { signedHeaders } from './sign-request.ts';

export interface SessionRequest {
  /** `https://host[:port][/path]`, without a slash at the end. */
  readonly endpoint: string;
  readonly region: string;
  readonly roleArn: string;
  readonly profileArn: string;
  readonly trustAnchorArn: string;
  readonly durationMs: number;
  readonly keyPair: KeyPair;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly chain: readonly Uint8Array[];
}

export interface SessionSettings {
  /** PEM of the only authorities to trust; Node's own without. */
  readonly ca: string | undefined;
  readonly clock: Clock;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown, delayMs: number) => void;
  readonly trace?: WireTrace | undefined;
}

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret;
  readonly expiresAtMs: number;
}

const MAX_BODY_BYTES = 256 * 1024;

/** As many tries as AWS's own programs make. */
const DELAYS_MS = [500, 2000];
/** What passes: too many requests, and the servers' own faults. */
const BUSY = [429, 500, 502, 503, 504];

/** Printable and without blanks, as it goes into a file of other programs. */
const Word = z.string().check(z.regex(/^[\x21-\x7e]+$/));

const Answer = z.object({
  credentialSet: z.array(
    z.object({
      credentials: z.object({
        accessKeyId: Word,
        secretAccessKey: Word,
        sessionToken: Word,
        expiration: z.iso.datetime({ offset: true }),
      }),
    }),
  ),
});

/** @throws MachineIdError AWS_UNREACHABLE, AWS_REFUSED, REPLY_INVALID, TIMEOUT */
export function createSession(request: SessionRequest, settings: SessionSettings): Promise<AwsCredentials> {
  const { clock, onRetry, signal } = settings;
  return retry(() => attempt(request, settings), { delaysMs: DELAYS_MS, worthAnotherTry, onRetry, clock, signal });
}

function worthAnotherTry(error: unknown): boolean {
  if (!(error instanceof MachineIdError) || error.code !== 'AWS_UNREACHABLE') return false;
  return networkFault(error.cause).kind === 'unreachable';
}

/** Signed anew each time: a signature holds for minutes. */
async function attempt(request: SessionRequest, settings: SessionSettings): Promise<AwsCredentials> {
  const { endpoint, profileArn, roleArn, trustAnchorArn } = request;
  const query = Object.entries({ profileArn, roleArn, trustAnchorArn })
    .map(([name, value]) => `${name}=${percentEncoded(value)}`)
    .join('&');
  const url = new URL(`${endpoint}/sessions?${query}`);
  const body = JSON.stringify({ durationSeconds: Math.floor(request.durationMs / 1000) });
  const nowMs = settings.clock.nowMs();
  const headers = signedHeaders({ ...request, url, body, nowMs });
  const reply = await post(url, { body, headers }, settings);
  if (BUSY.includes(reply.status)) throw busy(url, reply);
  if (reply.status !== 201) throw refused(request, reply, nowMs);
  const [session] = parsed(reply.text)?.credentialSet ?? [];
  if (session === undefined) throw unreadable(url);
  const { accessKeyId, expiration, secretAccessKey, sessionToken } = session.credentials;
  return {
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    sessionToken: new Secret(sessionToken),
    expiresAtMs: Date.parse(expiration),
  };
}

/** All but RFC 3986's unreserved characters, as Signature Version 4 wants a query; the path of a role may hold them. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

interface Reply {
  readonly status: number;
  /** The name of an error. */
  readonly type: string;
  readonly text: string;
  /** By the clock of AWS; NaN when it does not say. */
  readonly sentMs: number;
}

function post(
  url: URL,
  init: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
  { ca, signal: outer, timeoutMs, trace }: SessionSettings,
): Promise<Reply> {
  const { agent, begin } = openAgent(ca === undefined ? {} : { ca }, 'IAM Roles Anywhere', trace);
  const waitingFor = `IAM Roles Anywhere at ${url.host}`;
  return withDeadline({ waitingFor, timeoutMs, signal: outer }, async (signal) => {
    const end = begin('POST', url);
    let status: number | undefined;
    try {
      const options = { ...init, method: 'POST', agent, signal, size: MAX_BODY_BYTES, redirect: 'manual' } as const;
      const response: Response = await fetch(url, options);
      const { headers } = response;
      status = response.status;
      const [type = ''] = (headers.get('x-amzn-errortype') ?? '').split(':');
      return { status, type, text: await response.text(), sentMs: Date.parse(headers.get('date') ?? '') };
    } catch (cause) {
      signal.throwIfAborted();
      const { detail } = networkFault(cause);
      throw new MachineIdError('AWS_UNREACHABLE', `${waitingFor} cannot be reached: ${oneLine(detail)}`, {
        hint: 'Check that the region has Roles Anywhere and that this job may reach it; AWS_CA_BUNDLE names authorities of your own.',
        cause,
      });
    } finally {
      end(status);
    }
  });
}

function parsed(text: string): z.infer<typeof Answer> | undefined {
  try {
    return z.safeParse(Answer, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function unreadable({ host }: URL): MachineIdError {
  return new MachineIdError('REPLY_INVALID', `${host} answered without credentials that can be read`, {
    hint: 'Check that the endpoint (AWS_ENDPOINT_URL_ROLESANYWHERE) is the one of IAM Roles Anywhere.',
  });
}

const Failure = z.object({ message: z.optional(z.string()), Message: z.optional(z.string()) });

function busy({ host }: URL, reply: Reply): MachineIdError {
  return new MachineIdError('AWS_UNREACHABLE', `IAM Roles Anywhere at ${host} is busy: ${saidBy(reply)}`, {
    hint: `Run the job again; ${DELAYS_MS.length + 1} tries were made. If it stays, look at the health of the region in AWS.`,
  });
}

function saidBy({ status, text, type }: Reply): string {
  const said = oneLine(messageOf(text));
  const name = type === '' ? `HTTP status ${status}` : `${oneLine(type)} (HTTP status ${status})`;
  return `${name}${said === '' ? '' : `: ${said}`}`;
}

function refused(request: SessionRequest, reply: Reply, nowMs: number): MachineIdError {
  const { sentMs, status } = reply;
  return new MachineIdError(
    'AWS_REFUSED',
    `IAM Roles Anywhere refused a session of ${request.roleArn}: ${saidBy(reply)}`,
    { hint: skewHint(nowMs - sentMs) ?? (status === 403 ? accessHint(request) : SETTINGS_HINT) },
  );
}

const SETTINGS_HINT =
  'Compare role_arn, profile_arn, trust_anchor_arn, region and session_duration with what is set up in AWS.';

function accessHint({ profileArn, trustAnchorArn }: SessionRequest): string {
  return `Check in this order: the trust anchor ${trustAnchorArn} is enabled and holds the cluster's SPIFFE authority (tctl auth export --type tls-spiffe); the profile ${profileArn} is enabled and lists the role; the role's trust policy lets rolesanywhere.amazonaws.com assume it, tag the session and set its source identity, and its conditions fit the SPIFFE ID.`;
}

/** AWS accepts a signature for five minutes (Signature Version 4). */
const MOST_SKEW_MS = 5 * 60 * 1000;

function skewHint(aheadMs: number): string | undefined {
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  if (!(Math.abs(aheadMs) >= MOST_SKEW_MS)) return undefined;
  return `Set the clock of this machine: it is ${minutes} minutes ${aheadMs > 0 ? 'ahead of' : 'behind'} that of AWS.`;
}

function messageOf(text: string): string {
  try {
    const { data } = z.safeParse(Failure, JSON.parse(text));
    return data?.message ?? data?.Message ?? '';
  } catch {
    return '';
  }
}
