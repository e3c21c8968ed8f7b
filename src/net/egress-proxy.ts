/** Chooses the HTTP or SOCKS proxy of a connection from the environment, by the rules of Go's httpproxy (protocol reference 1.5). */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';
import { Secret } from '../effects/secret.ts';
import { type HostPort, MachineIdError } from '../errors.ts';
import { type Address, formatAddress, parseAddress } from './address.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What a connection is for. Teleport's own dials read other variables than requests to other HTTPS servers. The others are
 * for what doctor tries as other programs would: `teleport` for tsh, tctl and tbot, `kubectl`, and `direct` for those
 * that use no proxy, such as clients of databases.
 */
export type Purpose = 'cluster' | 'https' | 'teleport' | 'kubectl' | 'direct';

export interface EgressProxy {
  /** The variable that names it: `HTTPS_PROXY`. */
  readonly variable: string;
  readonly scheme: 'http' | 'https' | 'socks5';
  readonly address: Address;
  /** Decoded. */
  readonly login: { readonly user: Secret; readonly password: Secret } | undefined;
}

export type EgressRoute =
  | { readonly kind: 'proxy'; readonly proxy: EgressProxy }
  | {
      readonly kind: 'direct';
      /** Why the proxy of the environment is not used, if there is one. */
      readonly because?: Exception | undefined;
    };

interface Exception {
  /** The variable that names the proxy. */
  readonly proxyVariable: string;
  /** `other-purpose`: the variable is not for this kind of connection. */
  readonly by: { readonly list: string; readonly entry: string } | 'loopback' | 'other-purpose';
}

/**
 * In order of precedence. Go reads no ALL_PROXY: it is this program's extension, as is `socks5h`. Only Teleport's own dials
 * use HTTP_PROXY for TLS.
 */
const VARIABLES: Readonly<Record<Purpose, readonly string[]>> = {
  cluster: ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'],
  https: ['HTTPS_PROXY', 'ALL_PROXY'],
  teleport: ['HTTPS_PROXY', 'HTTP_PROXY'],
  kubectl: ['HTTPS_PROXY'],
  direct: [],
};

/** Of this program; other programs read no further variables. */
const OWN_PURPOSES = ['cluster', 'https'] as const satisfies readonly Purpose[];

/** @throws MachineIdError EGRESS_PROXY_INVALID */
export function egressRoute(environment: Environment, place: HostPort, purpose: Purpose): EgressRoute {
  const found = firstSet(environment, VARIABLES[purpose]);
  if (found === undefined) {
    const unused = firstSet(environment, VARIABLES.cluster);
    return unused === undefined
      ? { kind: 'direct' }
      : { kind: 'direct', because: { proxyVariable: unused.name, by: 'other-purpose' } };
  }
  const by = isAlwaysDirect(place) ? 'loopback' : exceptionFor(environment, place);
  return by === undefined
    ? { kind: 'proxy', proxy: parseProxy(found) }
    : { kind: 'direct', because: { proxyVariable: found.name, by } };
}

/**
 * Checks the proxies that connections of this environment may use, whether or not NO_PROXY excludes a certain server.
 * @throws MachineIdError EGRESS_PROXY_INVALID
 */
export function readEgressProxies(environment: Environment): readonly EgressProxy[] {
  if (noProxyOf(environment).entries.includes('*')) return [];
  const variables = OWN_PURPOSES.flatMap((purpose) => firstSet(environment, VARIABLES[purpose]) ?? []);
  return variables.map(parseProxy);
}

/** Without user and password: `http://proxy.example.com:3128`. */
export function proxyUrl({ address, scheme }: EgressProxy): string {
  return `${scheme}://${formatAddress(address)}`;
}

/** For messages: `the HTTP proxy http://proxy.example.com:3128 (HTTPS_PROXY)`. */
export function proxyName(proxy: EgressProxy): string {
  const kind = proxy.scheme === 'socks5' ? 'SOCKS' : 'HTTP';
  return `the ${kind} proxy ${proxyUrl(proxy)} (${proxy.variable})`;
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

/** Upper case counts before lower case; a variable without text counts as unset. */
function firstSet(environment: Environment, names: readonly string[]): Variable | undefined {
  return names
    .flatMap((name) => [name, name.toLowerCase()])
    .map((name) => ({ name, value: environment[name]?.trim() ?? '' }))
    .find(({ value }) => value !== '');
}

// The variables that name a proxy.

const DEFAULT_PORTS = { http: 80, https: 443, socks5: 1080 } as const;

const SCHEMES: ReadonlyMap<string, EgressProxy['scheme']> = new Map([
  ['http', 'http'],
  ['https', 'https'],
  ['socks5', 'socks5'],
  // The proxy resolves all names; curl resolves those for `socks5` itself.
  ['socks5h', 'socks5'],
]);

function parseProxy({ name: variable, value }: Variable): EgressProxy {
  const [, schemeText = 'http', rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(value) ?? [];
  const scheme = SCHEMES.get(schemeText.toLowerCase());
  if (scheme === undefined) {
    throw invalid(variable, `has the scheme "${schemeText}", expected http, https, socks5 or socks5h`);
  }
  const [authority = ''] = rest.split(/[/?#]/, 1);
  const at = authority.lastIndexOf('@');
  const address = proxyAddress(authority.slice(at + 1), DEFAULT_PORTS[scheme]);
  if (address === undefined) {
    throw invalid(variable, 'is not the address of a proxy, expected [scheme://][user:password@]host[:port]');
  }
  return { variable, scheme, address, login: at < 0 ? undefined : readLogin(variable, scheme, authority.slice(0, at)) };
}

function proxyAddress(text: string, defaultPort: number): Address | undefined {
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(text) ?? [];
  const ascii = isAscii(host) ? host : domainToASCII(host);
  return parseAddress(`${ascii}${port === ':' ? '' : port}`, defaultPort);
}

/** RFC 1929 section 2: the lengths are single bytes. */
const MAX_SOCKS_LOGIN_BYTES = 255;

function readLogin(variable: string, scheme: EgressProxy['scheme'], text: string): EgressProxy['login'] {
  const [, userText = '', passwordText = ''] = /^([^:]*):?(.*)$/s.exec(text) ?? [];
  let user: string;
  let password: string;
  try {
    [user, password] = [decodeURIComponent(userText), decodeURIComponent(passwordText)];
  } catch {
    throw invalid(variable, 'contains a user or password with an invalid % sequence');
  }
  if (scheme === 'socks5' && [user, password].some((one) => Buffer.byteLength(one) > MAX_SOCKS_LOGIN_BYTES)) {
    throw invalid(
      variable,
      `contains a user or password of more than ${MAX_SOCKS_LOGIN_BYTES} bytes, which SOCKS does not allow`,
    );
  }
  return { user: new Secret(user), password: new Secret(password) };
}

/** Never quotes the value, which may contain a password anywhere if it cannot be read. */
function invalid(variable: string, problem: string): MachineIdError {
  return new MachineIdError('EGRESS_PROXY_INVALID', `the variable ${variable} ${problem}`, {
    hint: `Set ${variable} to the address of the proxy, such as http://proxy.example.com:3128, or unset it. Percent-encode the characters %, @, :, /, ? and # in user and password.`,
  });
}

// NO_PROXY.

function isAlwaysDirect({ host }: HostPort): boolean {
  if (host === 'localhost') return true;
  return isLiteral(host) && (isInRange('127.0.0.0', 8, host) || isSameAddress('::1', host));
}

interface NoProxy {
  readonly list: string;
  readonly entries: readonly string[];
}

/** Only commas separate entries, not spaces. */
function noProxyOf(environment: Environment): NoProxy {
  const { name: list, value } = firstSet(environment, ['NO_PROXY']) ?? { name: 'NO_PROXY', value: '' };
  const entries = value.split(',').map((entry) => entry.trim().toLowerCase());
  return { list, entries: entries.filter((entry) => entry !== '') };
}

function exceptionFor(environment: Environment, place: HostPort): Exception['by'] | undefined {
  const { entries, list } = noProxyOf(environment);
  const entry = entries.find((one) => one === '*' || covers(one, place));
  return entry === undefined ? undefined : { list, entry };
}

/** An IP entry never covers a name, nor a name an IP address: nothing is looked up. Malformed entries cover nothing. */
function covers(entry: string, { host, port }: HostPort): boolean {
  const [, network = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (isLiteral(network)) return isLiteral(host) && isInRange(network, Number(bits), host);
  const [, bracketed, plain, entryPort = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(entry) ?? [];
  const name = bracketed ?? plain ?? entry;
  if (name === '' || (entryPort !== '' && entryPort !== String(port))) return false;
  if (isLiteral(name) || isLiteral(host)) return isLiteral(name) && isLiteral(host) && isSameAddress(name, host);
  return coversName(name.replace(/^\*(?=\.)/, ''), asciiName(host));
}

/** `.example.com` covers sub-domains only, `example.com` also itself. A dot at the end counts. */
function coversName(entry: string, host: string): boolean {
  if (entry.startsWith('.')) return host.endsWith(`.${asciiName(entry.slice(1))}`);
  const name = asciiName(entry);
  return host === name || host.endsWith(`.${name}`);
}

function asciiName(name: string): string {
  const lower = name.trim().toLowerCase();
  return isAscii(lower) ? lower : domainToASCII(lower) || lower;
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** Go reads no zone in an address. */
function isLiteral(host: string): boolean {
  return isIP(host) !== 0 && !host.includes('%');
}

function isSameAddress(one: string, other: string): boolean {
  return isInRange(one, isIPv4(one) ? 32 : 128, other);
}

function isInRange(network: string, bits: number, host: string): boolean {
  if (bits > (isIPv4(network) ? 32 : 128) || isOfIPv4(network) !== isOfIPv4(host)) return false;
  return inSubnet(network, bits, host);
}

/** Addresses of IPv4 may be written as IPv6: `::ffff:192.0.2.1`. */
function isOfIPv4(address: string): boolean {
  return isIPv4(address) || inSubnet('::ffff:0:0', 96, address);
}

function inSubnet(network: string, bits: number, address: string): boolean {
  const list = new BlockList();
  list.addSubnet(network, bits, isIPv4(network) ? 'ipv4' : 'ipv6');
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}
