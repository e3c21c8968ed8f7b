/** Finds the HTTP proxy in the job's variables. This program does not use it, so it may explain why a connection fails. */
import { BlockList, isIP } from 'node:net';
import { type HostPort, MachineIdError } from '../errors.ts';
import { VIA_PROXY } from './failures.ts';
import { causes } from './network-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxySetting {
  /** `HTTPS_PROXY` */
  readonly name: string;
  /** Without user and password; undefined if they cannot be removed with certainty. */
  readonly shown: string | undefined;
  /** Whether `NO_PROXY` excludes the place. */
  readonly bypassed: boolean;
}

/** In order of precedence; an empty variable counts as unset. */
const VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'HTTP_PROXY', 'http_proxy'];

export function proxySetting(environment: Environment, place: HostPort): ProxySetting | undefined {
  for (const name of VARIABLES) {
    const value = environment[name]?.trim() ?? '';
    if (value !== '') return { name, shown: hostOf(value), bypassed: isBypassed(environment, place) };
  }
  return undefined;
}

/** A likely cause that names the proxy which this connection bypasses; undefined if no proxy is set for it. */
export function proxyCause(environment: Environment, place: HostPort): string | undefined {
  const setting = proxySetting(environment, place);
  if (setting === undefined || setting.bypassed) return undefined;
  return `${proxyText(setting)}, but this version does not use it: ${place.host}:${place.port} must be reachable directly`;
}

export function proxyText({ name, shown }: Pick<ProxySetting, 'name' | 'shown'>): string {
  return shown === undefined ? `${name} is set` : `${name} is set (${shown})`;
}

/** Returns the error with that as its first likely cause, if it is about a place that could not be reached. */
export function withProxyCause(error: MachineIdError, environment: Environment): MachineIdError {
  const place = causes(error).flatMap((one) => (one instanceof MachineIdError ? (one.unreached ?? []) : []))[0];
  const first = place === undefined ? undefined : proxyCause(environment, place);
  if (first === undefined || error.likelyCauses.includes(first)) return error;
  return error.withLikelyCauses([first, ...error.likelyCauses.filter((cause) => cause !== VIA_PROXY)]);
}

/** Drops everything that may be secret: user and password, which may hold any characters up to the last `@`, path and query. */
function hostOf(value: string): string | undefined {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0] ?? '';
  const rest = value.slice(scheme.length).replace(/^.*@/s, '');
  const host = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?(?=$|[/?#])/i.exec(rest)?.[0];
  return host === undefined ? undefined : `${scheme.toLowerCase()}${host}`;
}

/** Reads `NO_PROXY` as Go does (protocol reference 1.5); entries may also be separated by spaces, as in curl. */
function isBypassed({ NO_PROXY = '', no_proxy = '' }: Environment, place: HostPort): boolean {
  const entries = (NO_PROXY === '' ? no_proxy : NO_PROXY).toLowerCase().split(/[\s,]+/);
  return entries.some((entry) => entry !== '' && covers(entry, { ...place, host: place.host.toLowerCase() }));
}

function covers(entry: string, { host, port }: HostPort): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInRange(entry, host);
  const [, bracketed, plain = entry, entryPort] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(entry) ?? [];
  if (entryPort !== undefined && Number(entryPort) !== port) return false;
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
