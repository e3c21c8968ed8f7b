/** The server of Teleport's releases: HTTPS requests with streamed responses, which are too large for memory. */
import type { Response } from 'node-fetch';
import { limitSilence, type SilenceLimit } from '../../effects/time.ts';
import { USER_AGENT } from '../../effects/world.ts';
import { MachineIdError } from '../../errors.ts';
import { hostPortOf, parseHttpsUrl } from '../../net/address.ts';
import { type HttpsClient, openHttps } from '../../net/agent.ts';
import type { Network } from '../../net/network.ts';
import { networkFailure } from '../../net/network-error.ts';
import type { WireTrace } from '../../net/trace.ts';
import { trustOptions, type WebTrust } from '../../net/trust.ts';

/** The part of a file to request. */
export interface ByteRange {
  readonly fromByte: number;
  /** Entity tag of the file that the earlier bytes came from (RFC 9110 section 13.1.5). */
  readonly ifTag?: string | undefined;
}

export interface DownloadRequest {
  /** Undefined for the whole file. */
  readonly range?: ByteRange | undefined;
  /** How long to wait for the response, and for each chunk of it. */
  readonly stallMs: number;
}

export interface DownloadResponse {
  readonly status: number;
  /** The value of a header; its name is in lower case. */
  header(name: string): string | undefined;
  /** Throws MachineIdError TOOLS_UNREACHABLE when it is interrupted or stalls for longer than `stallMs`. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface DownloadServer {
  /**
   * Follows redirects, but only to https URLs.
   * @throws MachineIdError TOOLS_UNREACHABLE, TOOLS_UNAVAILABLE
   */
  get(url: URL, request: DownloadRequest): Promise<DownloadResponse>;
  close(): void;
}

export interface DownloadOptions {
  readonly network: Network;
  readonly trust: WebTrust;
  readonly signal?: AbortSignal | undefined;
  readonly trace?: WireTrace | undefined;
}

const MAX_REDIRECTS = 5;

export function openDownloadServer({ network, trust, signal, trace }: DownloadOptions): DownloadServer {
  const settings = { keepAlive: true, ...trustOptions(trust.elsewhere?.()) };
  const { begin, close, send } = openHttps({ ...settings, network, to: 'downloads', for: 'https', trace });
  return {
    get: async (first, { range, stallMs }) => {
      let url = first;
      for (let redirects = 0; ; redirects += 1) {
        const limit = limitSilence({ waitingFor: url.host, unreached: hostPortOf(url), timeoutMs: stallMs, signal });
        const endTrace = begin('GET', url);
        const end = (status?: number) => {
          endTrace(status);
          limit.end();
        };
        const response = await sendRequest(url, range, send, { limit, end });
        const location = redirectOf(response);
        if (location === undefined) return streamed(url, response, { limit, end });
        end(response.status);
        if (redirects === MAX_REDIRECTS) throw invalidRedirect(url, `redirects more than ${MAX_REDIRECTS} times`);
        url = redirectTarget(url, location);
      }
    },
    close,
  };
}

/** One request, until its response was read or discarded. */
interface PendingRequest {
  readonly limit: SilenceLimit;
  readonly end: (status?: number) => void;
}

async function sendRequest(
  url: URL,
  range: ByteRange | undefined,
  send: HttpsClient['send'],
  { limit, end }: PendingRequest,
): Promise<Response> {
  const init = { headers: headers(url, range), redirect: 'manual', compress: false } as const;
  try {
    return await limit.wait(send(withoutUser(url), { ...init, signal: limit.signal }));
  } catch (error) {
    end();
    throw failure(url, error);
  }
}

function headers(url: URL, range: ByteRange | undefined): Record<string, string> {
  const user = [url.username, url.password].map(decodeURIComponent).join(':');
  return {
    // Digest and ranges apply to the published bytes.
    'accept-encoding': 'identity',
    'user-agent': USER_AGENT,
    ...(user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
    ...(range === undefined ? {} : { range: `bytes=${range.fromByte}-` }),
    ...(range?.ifTag === undefined ? {} : { 'if-range': range.ifTag }),
  };
}

function withoutUser(url: URL): string {
  const bare = new URL(url);
  bare.username = bare.password = '';
  return bare.href;
}

function redirectOf({ status, headers }: Response): string | undefined {
  return [301, 302, 303, 307, 308].includes(status) ? (headers.get('location') ?? undefined) : undefined;
}

/** User and password are only for the first server, unless the redirect has its own. */
function redirectTarget(from: URL, location: string): URL {
  const to = parseHttpsUrl(location, new URL(withoutUser(from)));
  if (to === undefined) throw invalidRedirect(from, 'redirects to a URL that is not https');
  if (to.origin === from.origin) [to.username, to.password] = [from.username, from.password];
  return to;
}

function streamed(url: URL, { status, headers, body }: Response, { limit, end }: PendingRequest): DownloadResponse {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const iterator = body?.[Symbol.asyncIterator]();
    try {
      while (iterator !== undefined) {
        const next = await limit.wait(iterator.next());
        if (next.done === true) return;
        yield typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
      }
    } catch (error) {
      throw failure(url, error);
    } finally {
      end(status);
    }
  }
  return { status, header: (name) => headers.get(name) ?? undefined, body: chunks() };
}

function failure(url: URL, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError && cause.code !== 'TIMEOUT') return cause;
  const problem = networkFailure(cause);
  if (problem.kind === 'untrusted') {
    return new MachineIdError(
      'TOOLS_UNAVAILABLE',
      `the web certificate of ${url.host} is not trusted: ${problem.detail}`,
      {
        hint: 'If a private authority signed it, set --ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS to a PEM file with that authority.',
        cause,
      },
    );
  }
  const reason = cause instanceof MachineIdError ? cause.message : `${url.host}: ${problem.detail}`;
  return new MachineIdError('TOOLS_UNREACHABLE', `the download was interrupted: ${reason}`, {
    hint: 'Check that this job can reach that server, or set a mirror with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
    cause,
    transient: problem.isTransient ? {} : undefined,
    unreached: problem.kind === 'name' || problem.kind === 'unreachable' ? hostPortOf(url) : undefined,
  });
}

function invalidRedirect(url: URL, problem: string): MachineIdError {
  return new MachineIdError('TOOLS_UNAVAILABLE', `${url.host} ${problem}`, {
    hint: 'Set the actual URL of the files with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
  });
}
