/** IAM Roles Anywhere: AWS credentials of a role, in exchange for a certificate that a trust anchor has signed. */
import type { Response } from 'node-fetch';
import * as z from 'zod/mini';
import type { KeyPair } from '../crypto/keys.ts';
import { type Clock, withDeadline } from '../effects/time.ts';
import { isTransientHttpStatus, type Retries } from '../effects/retry.ts';
import { Secret } from '../effects/secret.ts';
import { USER_AGENT } from '../effects/world.ts';
import { MachineIdError, pluralize } from '../errors.ts';
import { hostPortOf, parseHttpsUrl } from '../net/address.ts';
import { openHttps } from '../net/agent.ts';
import type { Network } from '../net/network.ts';
import { networkFailure, oneLine } from '../net/network-error.ts';
import type { WireTrace } from '../net/trace.ts';
import { trustOptions } from '../net/trust.ts';
import { signedHeaders } from './aws-sign.ts';

interface SessionRequest {
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

interface SessionSettings {
  /** PEM of the only authorities to trust; `undefined` for those of Node. */
  readonly ca: string | undefined;
  readonly clock: Clock;
  readonly network: Network;
  readonly retries: Retries;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret;
  readonly expiresAtMs: number;
}

const MAX_BODY_BYTES = 256 * 1024;

/** Printable and without spaces, as it is written to a file that other programs read. */
const Word = z.string().check(z.regex(/^[\x21-\x7e]+$/));

const SessionResponse = z.object({
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

/** @throws MachineIdError AWS_UNREACHABLE, AWS_REFUSED, RESPONSE_INVALID, TIMEOUT */
export function createSession(request: SessionRequest, settings: SessionSettings): Promise<AwsCredentials> {
  return settings.retries.run(() => attempt(request, settings));
}

/** Each attempt has its own signature, which is valid for minutes. */
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
  if (isTransientHttpStatus(reply.status, 'other')) throw busy(url, reply);
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

/** Encodes all but the unreserved characters of RFC 3986, as Signature Version 4 requires for a query. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

interface SessionReply {
  readonly status: number;
  /** The name of an error. */
  readonly type: string;
  readonly text: string;
  /** By the clock of AWS; NaN if it is missing. */
  readonly sentMs: number;
  readonly retryAfterMs: number | undefined;
}

function post(
  url: URL,
  init: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
  { ca, network, retries, signal: outer, trace }: SessionSettings,
): Promise<SessionReply> {
  const { begin, send } = openHttps({ ...trustOptions(ca), network, to: 'IAM Roles Anywhere', for: 'https', trace });
  const waitingFor = `IAM Roles Anywhere at ${url.host}`;
  return withDeadline(
    { waitingFor, unreached: hostPortOf(url), timeoutMs: retries.attemptMs(), signal: outer },
    async (signal) => {
      const end = begin('POST', url);
      let status: number | undefined;
      try {
        // Not signed, since a proxy may change it.
        const sent = { ...init, method: 'POST', headers: { 'user-agent': USER_AGENT, ...init.headers } };
        const options = { ...sent, signal, size: MAX_BODY_BYTES, redirect: 'manual' } as const;
        const response: Response = await send(url, options);
        const { headers } = response;
        status = response.status;
        const [type = ''] = (headers.get('x-amzn-errortype') ?? '').split(':');
        const sentMs = Date.parse(headers.get('date') ?? '');
        const retryAfterMs = retries.askedPauseMs(headers);
        return { status, type, text: await response.text(), sentMs, retryAfterMs };
      } catch (cause) {
        signal.throwIfAborted();
        if (cause instanceof MachineIdError) throw cause;
        const { detail, kind, isTransient } = networkFailure(cause);
        throw new MachineIdError('AWS_UNREACHABLE', `${waitingFor} cannot be reached: ${detail}`, {
          hint: 'Check that the region has Roles Anywhere and that this job can reach it. For a private certificate authority, set AWS_CA_BUNDLE.',
          cause,
          transient: isTransient ? {} : undefined,
          unreached: kind === 'name' || kind === 'unreachable' ? hostPortOf(url) : undefined,
        });
      } finally {
        end(status);
      }
    },
  );
}

function parsed(text: string): z.infer<typeof SessionResponse> | undefined {
  try {
    return z.safeParse(SessionResponse, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

// Why IAM Roles Anywhere refused a session.

interface SessionArns {
  readonly roleArn: string;
  readonly profileArn: string;
  readonly trustAnchorArn: string;
}

function unreadable({ host }: URL): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `the response of ${host} does not contain readable credentials`, {
    hint: 'Check that the endpoint (AWS_ENDPOINT_URL_ROLESANYWHERE) is that of IAM Roles Anywhere.',
  });
}

const Failure = z.object({ message: z.optional(z.string()), Message: z.optional(z.string()) });

function busy({ host }: URL, reply: SessionReply): MachineIdError {
  return new MachineIdError('AWS_UNREACHABLE', `IAM Roles Anywhere at ${host} is busy: ${responseText(reply)}`, {
    hint: 'Run the job again. If the error persists, check the health of the region in AWS.',
    transient: { afterMs: reply.retryAfterMs },
  });
}

function responseText({ status, text, type }: SessionReply): string {
  const said = oneLine(messageOf(text));
  const name = type === '' ? `HTTP status ${status}` : `${oneLine(type)} (HTTP status ${status})`;
  return `${name}${said === '' ? '' : `: ${said}`}`;
}

function refused(arns: SessionArns, reply: SessionReply, nowMs: number): MachineIdError {
  const { sentMs, status } = reply;
  return new MachineIdError(
    'AWS_REFUSED',
    `IAM Roles Anywhere refused a session of ${arns.roleArn}: ${responseText(reply)}`,
    { hint: skewHint(nowMs - sentMs) ?? (status === 403 ? accessHint(arns) : SETTINGS_HINT) },
  );
}

const SETTINGS_HINT =
  'Compare role_arn, profile_arn, trust_anchor_arn, region and session_duration with the settings in AWS.';

function accessHint({ profileArn, trustAnchorArn }: SessionArns): string {
  return `Check in this order: the trust anchor ${trustAnchorArn} is enabled and contains the cluster's SPIFFE authority (tctl auth export --type tls-spiffe); the profile ${profileArn} is enabled and lists the role; the role's trust policy lets rolesanywhere.amazonaws.com assume it, tag the session and set its source identity, and its conditions match the SPIFFE ID.`;
}

/** AWS accepts a signature for five minutes (AWS Signature Version 4). */
const MAX_SKEW_MS = 5 * 60 * 1000;

function skewHint(aheadMs: number): string | undefined {
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  if (!(Math.abs(aheadMs) >= MAX_SKEW_MS)) return undefined;
  return `Set the clock of this machine: it is ${pluralize(minutes, 'minute')} ${aheadMs > 0 ? 'ahead of' : 'behind'} AWS.`;
}

function messageOf(text: string): string {
  try {
    const { data } = z.safeParse(Failure, JSON.parse(text));
    return data?.message ?? data?.Message ?? '';
  } catch {
    return '';
  }
}

// The address of IAM Roles Anywhere.

type Environment = Readonly<Record<string, string | undefined>>;

interface Endpoint {
  /** `https://host[:port][/path]`, without a slash at the end. */
  readonly endpoint: string;
  readonly region: string;
}

/**
 * A trust anchor works in its own region only. The variables are those of AWS's own programs ("Service-specific
 * endpoints" in the reference of its SDKs); the first one that is set counts.
 * @throws MachineIdError AWS_UNREACHABLE if a variable does not contain an https:// address
 */
export function endpointOf(
  { region, trustAnchorArn }: { readonly region: string | undefined; readonly trustAnchorArn: string },
  environment: Environment,
): Endpoint {
  const arn = parseArn(trustAnchorArn);
  const chosen = region ?? arn?.region ?? '';
  const usual = `https://rolesanywhere.${chosen}.${domainOf(arn?.partition ?? 'aws')}`;
  return { endpoint: configured(environment) ?? usual, region: chosen };
}

function configured(environment: Environment): string | undefined {
  if (environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === 'true') return undefined;
  for (const name of ['AWS_ENDPOINT_URL_ROLESANYWHERE', 'AWS_ENDPOINT_URL'] as const) {
    const text = environment[name] ?? '';
    if (text !== '') return readEndpoint(name, text);
  }
  return undefined;
}

/** Does not quote the text, as an address can contain a password. */
function readEndpoint(name: string, text: string): string {
  const url = parseHttpsUrl(text);
  if (!(url?.username === '' && url.password === '')) {
    throw new MachineIdError('AWS_UNREACHABLE', `${name} must be an address of the form https://host`, {
      hint: `Correct ${name}, or unset it to use AWS's own address; AWS_ENDPOINT_URL_ROLESANYWHERE takes precedence over AWS_ENDPOINT_URL.`,
    });
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

// Amazon resource names, as far as Roles Anywhere needs them.

export interface Arn {
  /** `aws`, `aws-cn`, `aws-us-gov`. */
  readonly partition: string;
  readonly service: string;
  /** Empty for resources without a region, such as roles. */
  readonly region: string;
  readonly account: string;
  readonly resource: string;
}

const FORM = /^arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):(\d{12}):([\x21-\x7e]+)$/;

/** @returns undefined for anything else */
export function parseArn(text: string): Arn | undefined {
  const [, partition = '', service = '', region = '', account = '', resource = ''] = FORM.exec(text) ?? [];
  return resource === '' ? undefined : { partition, service, region, account, resource };
}

/** The domain of a partition's host names. */
export function domainOf(partition: string): string {
  switch (partition) {
    case 'aws-cn':
      return 'amazonaws.com.cn';
    case 'aws-eusc':
      return 'amazonaws.eu';
    default:
      return 'amazonaws.com';
  }
}
