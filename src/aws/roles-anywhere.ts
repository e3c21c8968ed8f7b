/** IAM Roles Anywhere: AWS credentials of a role, for a certificate that a trust anchor vouches for. */
import fetch, { type Response } from 'node-fetch';
import * as z from 'zod/mini';
import type { KeyPair } from '../crypto/keys.ts';
import type { Clock } from '../effects/clock.ts';
import { withDeadline } from '../effects/deadline.ts';
import { isPassingHttpStatus, type Retries } from '../effects/retry.ts';
import { Secret } from '../effects/secret.ts';
import { USER_AGENT } from '../effects/version.ts';
import { MachineIdError } from '../errors.ts';
import { placeOf } from '../teleport/https-url.ts';
import { networkFault } from '../teleport/network-error.ts';
import { openAgent } from '../teleport/traced-agent.ts';
import { trusting } from '../teleport/trust.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';
import { busy, refused, type SessionReply, unreadable } from './session-refusal.ts';
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
  return settings.retries.run(() => attempt(request, settings));
}

/** Signed again each time: a signature is valid for minutes. */
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
  if (isPassingHttpStatus(reply.status, 'other')) throw busy(url, reply);
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

function post(
  url: URL,
  init: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
  { ca, retries, signal: outer, trace }: SessionSettings,
): Promise<SessionReply> {
  const { agent, begin } = openAgent(trusting(ca), 'IAM Roles Anywhere', trace);
  const waitingFor = `IAM Roles Anywhere at ${url.host}`;
  return withDeadline(
    { waitingFor, unreached: placeOf(url), timeoutMs: retries.attemptMs(), signal: outer },
    async (signal) => {
      const end = begin('POST', url);
      let status: number | undefined;
      try {
        // Not among the headers that are signed, which proxies on the way may not change.
        const sent = { ...init, method: 'POST', headers: { 'user-agent': USER_AGENT, ...init.headers } };
        const options = { ...sent, agent, signal, size: MAX_BODY_BYTES, redirect: 'manual' } as const;
        const response: Response = await fetch(url, options);
        const { headers } = response;
        status = response.status;
        const [type = ''] = (headers.get('x-amzn-errortype') ?? '').split(':');
        const sentMs = Date.parse(headers.get('date') ?? '');
        const retryAfterMs = retries.askedPauseMs(headers);
        return { status, type, text: await response.text(), sentMs, retryAfterMs };
      } catch (cause) {
        signal.throwIfAborted();
        const { detail, kind, mayPass } = networkFault(cause);
        throw new MachineIdError('AWS_UNREACHABLE', `${waitingFor} cannot be reached: ${detail}`, {
          hint: 'Check that the region has Roles Anywhere and that this job may reach it; AWS_CA_BUNDLE names authorities of your own.',
          cause,
          passing: mayPass ? {} : undefined,
          unreached: kind === 'name' || kind === 'unreachable' ? placeOf(url) : undefined,
        });
      } finally {
        end(status);
      }
    },
  );
}

function parsed(text: string): z.infer<typeof Answer> | undefined {
  try {
    return z.safeParse(Answer, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
