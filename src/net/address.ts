/** Network addresses as Teleport writes them: `host:port`, IPv6 in brackets. */
import { isIPv6 } from 'node:net';
import type { HostPort } from '../errors.ts';

export interface Address {
  /** A DNS name or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

/** `host:port`, with brackets round an IPv6 host. */
export function formatAddress({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
 * @returns undefined when the text is no address: a scheme, a path, a port outside 1 to 65535, blanks
 */
export function parseAddress(text: string, defaultPort: number): Address | undefined {
  const [, bracketed, name, portText] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || (bracketed === undefined ? !HOST_NAME.test(host) : !isIPv6(host))) return undefined;
  const port = portText === undefined ? defaultPort : Number(portText);
  return port < 1 || port > 65_535 ? undefined : { host, port };
}

// Addresses of the web, https alone.

/** @returns undefined for anything that is no https:// address, by itself or seen from `base` */
export function parseHttpsUrl(text: string, base?: URL): URL | undefined {
  try {
    const url = new URL(text, base);
    // The caller reads user and password itself.
    for (const part of [url.username, url.password]) decodeURIComponent(part);
    return url.protocol === 'https:' ? url : undefined;
  } catch {
    // Node 18.0 has no other way to ask.
    return undefined;
  }
}

/** Where a connection to it goes. */
export function hostPortOf({ hostname, port }: URL): HostPort {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) };
}
