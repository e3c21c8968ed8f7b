/**
 * Requests a connection of a SOCKS proxy, version 5 (RFC 1928, with the login of RFC 1929). The package `socks` would add
 * 70 KB to the bundle; what we need is small: one command, two methods, everything unexpected rejected, each with a test.
 */
import { isIP, isIPv4, type Socket } from 'node:net';
import type { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { egressFailure, endedEarly, type TunnelRequest } from './egress-failure.ts';
import { type EgressProxy, proxyName } from './egress-proxy.ts';

const VERSION = 5;
const NO_LOGIN = 0;
const LOGIN = 2;
const NO_ACCEPTABLE_METHOD = 0xff;
const LOGIN_VERSION = 1;
const CONNECT = 1;
/** The types of addresses. */
const [IPV4, NAME, IPV6] = [1, 3, 4];

/**
 * Resolves with the proxy's answer when the next bytes on the socket are the target's. Names are resolved by the proxy.
 * @throws MachineIdError EGRESS_PROXY_FAILED, or the signal's reason
 */
export async function requestBySocks(socket: Socket, request: TunnelRequest): Promise<string> {
  const read = (length: number) => readBytes(socket, length, request);
  const { proxy, target } = request;
  const methods = proxy.login === undefined ? [NO_LOGIN] : [NO_LOGIN, LOGIN];
  socket.write(Uint8Array.from([VERSION, methods.length, ...methods]));
  const [version, method = 0] = await read(2);
  if (version !== VERSION) throw notSocks(request, [version ?? 0, method]);
  if (method === NO_ACCEPTABLE_METHOD) throw methodsRefused(request);
  if (!methods.includes(method)) throw unexpected(request, `the login method ${method}, which was not offered`);
  if (method === LOGIN) {
    socket.write(loginMessage(proxy.login));
    const [loginVersion, status] = await read(2);
    if (loginVersion !== LOGIN_VERSION) throw unexpected(request, `version ${loginVersion ?? 0} of the login`);
    if (status !== 0) throw loginRejected(request);
  }
  socket.write(connectMessage(target));
  const [replyVersion, reply = 0, , type] = await read(4);
  if (replyVersion !== VERSION) throw unexpected(request, `a reply of version ${replyVersion ?? 0}`);
  if (reply !== 0) throw refusal(request, reply);
  // The address from which the proxy connected, and its port.
  const addressBytes = type === IPV4 ? 4 : type === IPV6 ? 16 : type === NAME ? ((await read(1))[0] ?? 0) : undefined;
  if (addressBytes === undefined) throw unexpected(request, `an address of the unknown type ${type ?? 0}`);
  await read(addressBytes + 2);
  return 'succeeded';
}

/** Leaves what follows in the socket. */
function readBytes(socket: Socket, length: number, request: TunnelRequest): Promise<Buffer> {
  const { signal } = request;
  return new Promise((resolve, reject) => {
    const settle = () => {
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd).off('error', onError);
      signal.removeEventListener('abort', onAbort);
    };
    const onReadable = () => {
      const bytes: unknown = socket.read(length);
      if (!(bytes instanceof Buffer)) return;
      settle();
      // Fewer are returned at the end of the stream.
      if (bytes.length === length) resolve(bytes);
      else reject(endedEarly(request, new Error('the answer is incomplete')));
    };
    const onError = (error: Error) => {
      settle();
      reject(endedEarly(request, error));
    };
    const onEnd = () => {
      onError(new Error('no answer'));
    };
    const onAbort = () => {
      settle();
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd).on('error', onError);
    onReadable();
  });
}

function loginMessage(login: EgressProxy['login']): Buffer {
  const parts = [login?.user, login?.password].map((part) => Buffer.from(part?.reveal() ?? ''));
  return Buffer.concat([Buffer.of(LOGIN_VERSION), ...parts.flatMap((part) => [Buffer.of(part.length), part])]);
}

function connectMessage({ host, port }: Address): Buffer {
  return Buffer.concat([Buffer.of(VERSION, CONNECT, 0), addressBytesOf(host), Buffer.of(port >> 8, port & 0xff)]);
}

function addressBytesOf(host: string): Buffer {
  if (isIPv4(host)) return Buffer.of(IPV4, ...host.split('.').map(Number));
  if (isIP(host) !== 0) return Buffer.concat([Buffer.of(IPV6), ipv6Bytes(host)]);
  const name = Buffer.from(host);
  return Buffer.concat([Buffer.of(NAME, name.length), name]);
}

function ipv6Bytes(host: string): Buffer {
  // URL writes every address in groups of hexadecimal digits, with at most one `::`.
  const [before = '', after] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'));
  const [first, last] = [groups(before), groups(after)];
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => '0'), ...last];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

// Failures.

function notSocks({ proxy }: TunnelRequest, got: readonly number[]): MachineIdError {
  const text = String.fromCharCode(...got);
  const what = text === 'HT' ? 'it speaks HTTP' : `its first bytes are ${hex(got)}`;
  return egressFailure(`${proxyName(proxy)} is not a SOCKS proxy of version 5: ${what}, expected ${hex([VERSION])}`, {
    hint: `Check the port in ${proxy.variable}. Write http:// instead of socks5:// for an HTTP proxy.`,
  });
}

function hex(bytes: readonly number[]): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/(?<=..)(?=(..)+$)/g, ' ');
}

function methodsRefused({ proxy }: TunnelRequest): MachineIdError {
  if (proxy.login === undefined) {
    return egressFailure(`${proxyName(proxy)} requires a login`, {
      hint: `Add user and password to ${proxy.variable}, percent-encoded: socks5://user:password@host:port. Keep the value in a context of CircleCI.`,
    });
  }
  return egressFailure(
    `${proxyName(proxy)} accepts neither connections without a login nor a login by user and password`,
    { hint: 'Let the proxy accept user and password (RFC 1929), or this job without a login.' },
  );
}

function loginRejected({ proxy }: TunnelRequest): MachineIdError {
  return egressFailure(`${proxyName(proxy)} rejected the user and password`, {
    hint: `Correct user and password in ${proxy.variable}; percent-encode the characters %, @, :, /, ? and # in them.`,
  });
}

function unexpected({ proxy }: TunnelRequest, got: string): MachineIdError {
  return egressFailure(`${proxyName(proxy)} does not keep to the protocol SOCKS 5: it sent ${got}`, {
    hint: `Check that ${proxy.variable} is the address of a SOCKS proxy; if it is, report this with its name and version.`,
  });
}

interface Reply {
  /** What the proxy does, as the rest of a sentence about it. */
  readonly text: (target: string) => string;
  readonly isTransient: boolean;
}

/** RFC 1928 section 6. */
const REPLIES: ReadonlyMap<number, Reply> = new Map([
  [1, { text: (to) => `cannot connect to ${to} and gives no reason`, isTransient: true }],
  [2, { text: (to) => `does not allow connections to ${to}`, isTransient: false }],
  [3, { text: (to) => `has no route to the network of ${to}`, isTransient: true }],
  [4, { text: (to) => `cannot reach or resolve the host of ${to}`, isTransient: true }],
  [5, { text: (to) => `reports that ${to} refused the connection`, isTransient: true }],
  [6, { text: (to) => `reports that the packets to ${to} expired in transit`, isTransient: true }],
  [7, { text: (to) => `does not support the command CONNECT, which ${to} needs`, isTransient: false }],
  [8, { text: (to) => `does not support the type of the address ${to}`, isTransient: false }],
]);

function refusal({ proxy, target }: TunnelRequest, code: number): MachineIdError {
  const to = formatAddress(target);
  const { isTransient, text } = REPLIES.get(code) ?? {
    text: () => `refused the connection to ${to} with an unknown reply`,
    isTransient: false,
  };
  const hint = isTransient
    ? `Check that the proxy resolves and reaches ${to}, or add ${target.host} to NO_PROXY if this job reaches it directly.`
    : `Ask the administrators of the proxy to allow connections to ${to}, or add ${target.host} to NO_PROXY if this job reaches it directly.`;
  return egressFailure(`${proxyName(proxy)} ${text(to)} (SOCKS reply ${code})`, { hint, isTransient });
}
