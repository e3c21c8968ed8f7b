/** Reads the address that a person gave, and says what is wrong with one that cannot be read. */
import { isIPv6 } from 'node:net';
import { type Address, formatAddress, parseAddress } from '../teleport/address.ts';
import { unexpandedValue } from './unexpanded.ts';

export interface GivenAddress extends Address {
  /** Whether the text named the port, rather than leaving it to the default. */
  readonly portGiven: boolean;
}

/** Where a Proxy listens behind TLS routing, and so what an address without a port means. */
const DEFAULT_PORT = 443;

/** Reads `host:port`, `host` or `[IPv6]:port`; a string is what is wrong with `text`, ready for a person. */
export function readGivenAddress(text: string): GivenAddress | string {
  const unexpanded = unexpandedValue(text);
  if (unexpanded !== undefined) return unexpanded;
  const address = parseAddress(text, DEFAULT_PORT);
  return address === undefined ? explain(text) : { ...address, portGiven: /:\d+$/.test(text) };
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
  const found = parseAddress(isIPv6(core) ? `[${core}]` : core, DEFAULT_PORT);
  return found === undefined ? undefined : formatAddress(found);
}
