/** Network addresses as Teleport writes them (`host:port`, IPv6 in brackets), and https URLs. */
import { isIPv6 } from 'node:net';
import type { HostPort } from '../errors.ts';

export interface Address {
  /** A DNS name or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
 * @returns undefined if the text is not an address: it has a scheme, a path, spaces, or a port outside 1 to 65535
 */
export function parseAddress(text: string, defaultPort: number): Address | undefined {
  const [, bracketed, name, portText] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || (bracketed === undefined ? !HOST_NAME.test(host) : !isIPv6(host))) return undefined;
  const port = portText === undefined ? defaultPort : Number(portText);
  return port < 1 || port > 65_535 ? undefined : { host, port };
}

/** @returns undefined for anything but an https:// URL, absolute or relative to `base` */
export function parseHttpsUrl(text: string, base?: URL): URL | undefined {
  try {
    const url = new URL(text, base);
    // The caller decodes user and password: check that it can.
    for (const part of [url.username, url.password]) decodeURIComponent(part);
    return url.protocol === 'https:' ? url : undefined;
  } catch {
    // `URL.canParse` needs Node 18.17.
    return undefined;
  }
}

/** The host and port that a connection to the URL of another server than the cluster goes to. */
export function hostPortOf({ hostname, port }: URL): HostPort {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port), for: 'https' };
}
