/** Network addresses as Teleport writes them: `host:port`, IPv6 in brackets. */
import { isIP } from 'node:net';

export interface Address {
  /** A DNS name or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets round an IPv6 host. */
export function formatAddress({ host, port }: Address): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/**
 * Reads `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
 * @returns undefined when the text is no address: a scheme, a path, a port outside 1 to 65535, blanks
 */
export function parseAddress(text: string, defaultPort: number): Address | undefined {
  if (isIP(text) === 6) return { host: text, port: defaultPort };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, name, portText] = match;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  const port = portText === undefined ? defaultPort : Number(portText);
  const host = bracketed ?? name;
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}
