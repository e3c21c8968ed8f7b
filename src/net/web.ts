/** The Proxy's web API: HTTPS requests with a deadline and a size limit. */
import { FetchError, type Response } from 'node-fetch';
import { withDeadline } from '../effects/time.ts';
import type { Retries } from '../effects/retry.ts';
import { USER_AGENT } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { openHttps } from './agent.ts';
import { proxyFailure } from './failures.ts';
import type { Network } from './network.ts';
import type { WireTrace } from './trace.ts';
import { trustOptions, type WebTrust } from './trust.ts';

export interface WebResponse {
  readonly status: number;
  readonly body: string;
  /** The server's `Date` header, which has whole seconds; NaN if it is missing. */
  readonly sentMs?: number;
  /** The server's header `Server`: Teleport sends none. */
  readonly server?: string | undefined;
  /** How long the server asks us to wait before the next request. */
  readonly retryAfterMs?: number | undefined;
}

export interface WebApi {
  readonly address: Address;
  get(path: string): Promise<WebResponse>;
  postJson(path: string, body: string): Promise<WebResponse>;
  /** Closes the connection that is kept between requests. */
  close(): void;
}

/** Who answers HTTPS, and how its failures are explained. */
export interface WebServer {
  /** For messages: `the Proxy a.example.com:443`. */
  readonly name: string;
  readonly failure: (cause: unknown) => MachineIdError;
  readonly tls?: { readonly servername: string; readonly ALPNProtocols: string[] };
}

export interface WebApiOptions {
  readonly address: Address;
  /** The Proxy by default. */
  readonly server?: WebServer;
  readonly network: Network;
  readonly trust: WebTrust;
  readonly retries: Pick<Retries, 'attemptMs' | 'askedPauseMs'>;
  readonly signal?: AbortSignal | undefined;
  readonly trace?: WireTrace | undefined;
}

/** Certificates and discovery responses have a few kilobytes. */
const MAX_BODY_BYTES = 1024 * 1024;

interface WebRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Requests throw MachineIdError PROXY_UNREACHABLE, PROXY_UNTRUSTED, TIMEOUT, RESPONSE_INVALID or RESPONSE_TOO_LARGE. */
export function openWebApi(options: WebApiOptions): WebApi {
  const { address, network, trust, retries, signal: outer, trace } = options;
  const { server = proxyAt(address, trust) } = options;
  const { name } = server;
  const settings = { keepAlive: true, rejectUnauthorized: trust.verify, ...trustOptions(trust.ca), ...server.tls };
  const { begin, close, isConnected, send } = openHttps({
    ...settings,
    address,
    network,
    to: 'web API',
    for: 'cluster',
    trace,
  });
  // Silence after the handshake has other causes than the network.
  const place = () => (isConnected() ? { ...address, isReachable: true as const } : address);
  const request = (path: string, { headers: more = {}, ...init }: WebRequest) =>
    withDeadline(
      { waitingFor: name, unreached: place, timeoutMs: retries.attemptMs(), signal: outer },
      async (signal) => {
        const url = `https://${formatAddress(address)}${path}`;
        const end = begin(init.method, url);
        let response: Response | undefined;
        try {
          const sent = { ...init, headers: { 'user-agent': USER_AGENT, ...more } };
          response = await send(url, { ...sent, signal, size: MAX_BODY_BYTES, redirect: 'manual' });
          const { headers, status } = response;
          const sentMs = Date.parse(headers.get('date') ?? '');
          const retryAfterMs = retries.askedPauseMs(headers);
          const server = headers.get('server') ?? undefined;
          return { status, body: await readBody(response, name), sentMs, server, retryAfterMs };
        } catch (error) {
          throw server.failure(error);
        } finally {
          end(response?.status);
        }
      },
    );
  return {
    address,
    get: (path) => request(path, { method: 'GET' }),
    postJson: (path, body) => request(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
    close,
  };
}

function proxyAt(address: Address, trust: WebTrust): WebServer {
  return { name: `the Proxy ${formatAddress(address)}`, failure: (cause) => proxyFailure(address, cause, trust) };
}

async function readBody(response: Response, name: string): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    if (cause instanceof FetchError && cause.type === 'max-size') {
      throw new MachineIdError('RESPONSE_TOO_LARGE', `${name} sent a response of more than ${MAX_BODY_BYTES} bytes`, {
        hint: 'Check that the address is that of a Teleport Proxy and not of another web server.',
        cause,
      });
    }
    throw new MachineIdError('RESPONSE_INVALID', `the response from ${name} was cut off`, {
      hint: 'Run the job again. If the error persists, check what is between this job and the Proxy (load balancer, HTTP proxy).',
      cause,
      transient: {},
    });
  }
}
