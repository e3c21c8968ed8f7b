/** Fetches an issuer's documents as the Auth Service does for `generic_oidc`: 10 seconds and 1 MiB at most. */
import { get as getPlain } from 'node:http';
import { get as getSecure, type RequestOptions } from 'node:https';
import { Refusal } from './go-values.ts';

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1024 * 1024;

/** Hosts of the world outside that are played by servers on this machine. */
export type Hosts = ReadonlyMap<string, PlayedHost>;

export interface PlayedHost {
  /** On 127.0.0.1. */
  readonly port: number;
  /** The name in the server's certificate. */
  readonly servername: string;
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** @throws Refusal for anything but a response with JSON; `ca` is PEM, and nothing else is trusted */
export async function fetchJson(address: string, ca: string, hosts: Hosts): Promise<unknown> {
  const url = new URL(address);
  const played = hosts.get(url.host);
  if (played === undefined && !LOOPBACK.has(url.hostname)) {
    throw new Refusal(`Get "${address}": dial tcp: lookup ${url.hostname}: no such host`);
  }
  const options: RequestOptions = {
    host: played === undefined ? url.hostname.replace(/^\[|\]$/g, '') : '127.0.0.1',
    port: played?.port ?? url.port,
    path: url.pathname,
    ...(played === undefined ? {} : { servername: played.servername }),
    headers: { host: url.host },
    ca,
    agent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  try {
    return JSON.parse(await body(url.protocol === 'https:' ? getSecure : getPlain, options));
  } catch (error) {
    throw new Refusal(`Get "${address}": ${String(error)}`);
  }
}

function body(get: typeof getSecure | typeof getPlain, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(options, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response
        .on('data', (chunk: Buffer) => {
          length += chunk.length;
          chunks.push(chunk);
          if (length > MAX_BYTES) {
            request.destroy(new Error('the response is too large'));
          }
        })
        .on('error', reject)
        .on('end', () => {
          if (response.statusCode === 200) {
            resolve(Buffer.concat(chunks).toString('utf8'));
          } else {
            reject(new Error(`http status not ok: ${String(response.statusCode)}`));
          }
        });
    });
    request.on('error', reject);
  });
}
