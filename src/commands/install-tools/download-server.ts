/** The server that Teleport's releases come from: HTTPS requests whose answers are too large to be held in memory. */
import type { Agent } from 'node:https';
import fetch, { type Response } from 'node-fetch';
import { limitSilence, type SilenceLimit } from '../../effects/time.ts';
import { USER_AGENT } from '../../effects/world.ts';
import { MachineIdError } from '../../errors.ts';
import { hostPortOf, parseHttpsUrl } from '../../net/address.ts';
import { networkFailure } from '../../net/network-error.ts';
import type { WireTrace } from '../../net/trace.ts';
import { openAgent } from '../../net/traced.ts';
import { downloadAuthorities, trustOptions, type WebTrust } from '../../net/trust.ts';

/** Which bytes of a file are wanted. */
export interface ByteRange {
  readonly fromByte: number;
  /** Entity tag of the file that the first bytes are from (RFC 9110 section 13.1.5). */
  readonly ifTag?: string | undefined;
}

export interface DownloadRequest {
  /** The whole file without. */
  readonly range?: ByteRange | undefined;
  /** How long to wait for the answer, and in it for each next byte. */
  readonly stallMs: number;
}

export interface DownloadResponse {
  readonly status: number;
  /** A header's value, by its name in lower case. */
  header(name: string): string | undefined;
  /** Throws MachineIdError TOOLS_UNREACHABLE when it breaks off or nothing comes for the time of the options. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface DownloadServer {
  /**
   * Redirects are followed, to https addresses alone.
   * @throws MachineIdError TOOLS_UNREACHABLE, TOOLS_UNAVAILABLE
   */
  get(url: URL, wish: DownloadRequest): Promise<DownloadResponse>;
  close(): void;
}

export interface DownloadOptions {
  readonly trust: WebTrust;
  readonly signal?: AbortSignal | undefined;
  readonly trace?: WireTrace | undefined;
}

const MAX_REDIRECTS = 5;

export function openDownloadServer({ trust, signal, trace }: DownloadOptions): DownloadServer {
  const settings = { keepAlive: true, ...(trust.ca === undefined ? {} : trustOptions(downloadAuthorities(trust.ca))) };
  const { agent, begin } = openAgent(settings, 'downloads', trace);
  return {
    get: async (first, { range, stallMs }) => {
      let url = first;
      for (let redirects = 0; ; redirects += 1) {
        const limit = limitSilence({ waitingFor: url.host, unreached: hostPortOf(url), timeoutMs: stallMs, signal });
        const told = begin('GET', url);
        const end = (status?: number) => {
          told(status);
          limit.end();
        };
        const response = await request(url, range, agent, { limit, end });
        const location = redirectOf(response);
        if (location === undefined) return answer(url, response, { limit, end });
        end(response.status);
        if (redirects === MAX_REDIRECTS) throw refused(url, `redirects more than ${MAX_REDIRECTS} times`);
        url = next(url, location);
      }
    },
    close: () => {
      agent.destroy();
    },
  };
}

/** One request, until its answer was read or is not wanted. */
interface PendingRequest {
  readonly limit: SilenceLimit;
  readonly end: (status?: number) => void;
}

async function request(
  url: URL,
  range: ByteRange | undefined,
  agent: Agent,
  { limit, end }: PendingRequest,
): Promise<Response> {
  const init = { agent, headers: headers(url, range), redirect: 'manual', compress: false } as const;
  try {
    return await limit.wait(fetch(withoutUser(url), { ...init, signal: limit.signal }));
  } catch (error) {
    end();
    throw failure(url, error);
  }
}

function headers(url: URL, range: ByteRange | undefined): Record<string, string> {
  const user = [url.username, url.password].map(decodeURIComponent).join(':');
  return {
    // Bytes as they are published: the digest and ranges are theirs.
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

/** User and password, if any, are for the first server alone: a new address brings its own or none. */
function next(from: URL, location: string): URL {
  const to = parseHttpsUrl(location, new URL(withoutUser(from)));
  if (to === undefined) throw refused(from, 'redirects to an address that is not https');
  if (to.origin === from.origin) [to.username, to.password] = [from.username, from.password];
  return to;
}

function answer(url: URL, { status, headers, body }: Response, { limit, end }: PendingRequest): DownloadResponse {
  async function* parts(): AsyncGenerator<Uint8Array> {
    const iterator = body?.[Symbol.asyncIterator]();
    try {
      while (iterator !== undefined) {
        const part = await limit.wait(iterator.next());
        if (part.done === true) return;
        yield typeof part.value === 'string' ? Buffer.from(part.value) : part.value;
      }
    } catch (error) {
      throw failure(url, error);
    } finally {
      end(status);
    }
  }
  return { status, header: (name) => headers.get(name) ?? undefined, body: parts() };
}

function failure(url: URL, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError && cause.code !== 'TIMEOUT') return cause;
  const problem = networkFailure(cause);
  if (problem.kind === 'untrusted') {
    return new MachineIdError(
      'TOOLS_UNAVAILABLE',
      `the web certificate of ${url.host} is not trusted: ${problem.detail}`,
      {
        hint: 'If a private authority signs it, give its PEM with --ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS.',
        cause,
      },
    );
  }
  const what = cause instanceof MachineIdError ? cause.message : `${url.host}: ${problem.detail}`;
  return new MachineIdError('TOOLS_UNREACHABLE', `the download broke off: ${what}`, {
    hint: 'Check that this job may reach that server, or name a mirror with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
    cause,
    transient: problem.isTransient ? {} : undefined,
    unreached: problem.kind === 'name' || problem.kind === 'unreachable' ? hostPortOf(url) : undefined,
  });
}

function refused(url: URL, what: string): MachineIdError {
  return new MachineIdError('TOOLS_UNAVAILABLE', `${url.host} ${what}`, {
    hint: 'Name the address that the files are really at with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
  });
}
