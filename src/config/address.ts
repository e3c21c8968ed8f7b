/** Addresses as `host:port`. */
import { isIPv6 } from 'node:net';

export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether the text named the port, rather than leaving it to the default. */
  readonly portGiven: boolean;
}

/** Where a Proxy listens behind TLS routing, and so what an address without a port means. */
export const DEFAULT_PORT = 443;

const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

/** Reads `host:port`, `host` or `[IPv6]:port`; a string is what is wrong with `text`, ready for a person. */
export function parseAddress(text: string): HostPort | string {
  return readHostPort(text) ?? explain(text);
}

/** `host:port`, an IPv6 host in brackets. */
export function formatAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function readHostPort(text: string): HostPort | undefined {
  const [, bracketed, name, port] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || (bracketed === undefined ? !HOST_NAME.test(host) : !isIPv6(host))) return undefined;
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (number < 1 || number > 65_535) return undefined;
  return { host, port: number, portGiven: port !== undefined };
}

function explain(text: string): string {
  const correction = suggest(text);
  const advice = correction === undefined ? '' : `; write ${correction}`;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return `"${text}" must be host:port without a scheme${advice}`;
  if (isIPv6(text)) return `"${text}" must have its IPv6 address in brackets${advice}`;
  return `"${text}" is not an address of the form host:port${advice}`;
}

/** The address that was probably meant: without scheme, user, path or blanks. */
function suggest(text: string): string | undefined {
  const core = text
    .trim()
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
    .replace(/[/?#].*$/s, '')
    .replace(/^.*@/s, '');
  const found = readHostPort(isIPv6(core) ? `[${core}]` : core);
  return found === undefined ? undefined : formatAddress(found);
}
