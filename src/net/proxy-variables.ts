/** The HTTP proxy that a job's variables name. Connections of this program do not use it: it explains why they fail. */
import { BlockList, isIP } from 'node:net';
import { type HostPort, MachineIdError } from '../errors.ts';
import { VIA_PROXY } from './failures.ts';
import { causes } from './network-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxySetting {
  /** `HTTPS_PROXY` */
  readonly name: string;
  /** Without user and password; undefined for a value that cannot be shown for certain without them. */
  readonly shown: string | undefined;
  /** Whether `NO_PROXY` excepts the place. */
  readonly bypassed: boolean;
}

/** In the order in which they count; an empty one is as good as none. */
const VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'HTTP_PROXY', 'http_proxy'];

export function proxySetting(environment: Environment, place: HostPort): ProxySetting | undefined {
  for (const name of VARIABLES) {
    const value = environment[name]?.trim() ?? '';
    if (value !== '') return { name, shown: hostOf(value), bypassed: isBypassed(environment, place) };
  }
  return undefined;
}

/** One clause on the proxy that the connection to this place goes past; undefined when none is set for it. */
export function proxyCause(environment: Environment, place: HostPort): string | undefined {
  const setting = proxySetting(environment, place);
  if (setting === undefined || setting.bypassed) return undefined;
  return `${proxyText(setting)}, and this version does not use it: ${place.host}:${place.port} must be reachable directly`;
}

export function proxyText({ name, shown }: Pick<ProxySetting, 'name' | 'shown'>): string {
  return shown === undefined ? `${name} is set` : `${name} is set (${shown})`;
}

/** The same failure with that as its first likely cause, where a place could not be reached. */
export function withProxyCause(error: MachineIdError, environment: Environment): MachineIdError {
  const place = causes(error).flatMap((one) => (one instanceof MachineIdError ? (one.unreached ?? []) : []))[0];
  const first = place === undefined ? undefined : proxyCause(environment, place);
  if (first === undefined || error.likelyCauses.includes(first)) return error;
  return error.withLikelyCauses([first, ...error.likelyCauses.filter((cause) => cause !== VIA_PROXY)]);
}

/** A user and a password may stand before the last `@`, with any characters in them, and a secret in path or query. */
function hostOf(value: string): string | undefined {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0] ?? '';
  const rest = value.slice(scheme.length).replace(/^.*@/s, '');
  const host = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?(?=$|[/?#])/i.exec(rest)?.[0];
  return host === undefined ? undefined : `${scheme.toLowerCase()}${host}`;
}

/** As Go reads `NO_PROXY` (protocol reference 1.5), and separated by spaces too, as curl does. */
function isBypassed({ NO_PROXY = '', no_proxy = '' }: Environment, place: HostPort): boolean {
  const entries = (NO_PROXY === '' ? no_proxy : NO_PROXY).toLowerCase().split(/[\s,]+/);
  return entries.some((entry) => entry !== '' && covers(entry, { ...place, host: place.host.toLowerCase() }));
}

function covers(entry: string, { host, port }: HostPort): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInRange(entry, host);
  const [, bracketed, plain = entry, ofPort] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(entry) ?? [];
  if (ofPort !== undefined && Number(ofPort) !== port) return false;
  const name = bracketed ?? plain;
  if (isIP(name) !== 0 || isIP(host) !== 0) return isSameAddress(name, host);
  if (/^\*?\./.test(name)) return host.endsWith(name.replace(/^\*/, ''));
  return host === name || host.endsWith(`.${name}`);
}

function isSameAddress(name: string, host: string): boolean {
  const family = isIP(name);
  if (family === 0 || isIP(host) === 0) return false;
  const list = new BlockList();
  list.addAddress(name, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}

function isInRange(entry: string, host: string): boolean {
  const [, network = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(network);
  if (family === 0 || isIP(host) === 0 || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}
