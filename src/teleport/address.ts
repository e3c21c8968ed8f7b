/** Network addresses as Teleport writes them: `host:port`, IPv6 in brackets. */
import { isIPv6 } from 'node:net';

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
