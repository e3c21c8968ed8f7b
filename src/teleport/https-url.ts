/** Addresses of the web, https alone. */
import type { Place } from '../errors.ts';

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
export function placeOf({ hostname, port }: URL): Place {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) };
}
