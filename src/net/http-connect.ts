/** Requests a tunnel of an HTTP proxy (RFC 9110 section 9.3.6). */
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { USER_AGENT } from '../effects/world.ts';
import type { MachineIdError } from '../errors.ts';
import { formatAddress } from './address.ts';
import { egressFailure, endedEarly, type TunnelRequest } from './egress-failure.ts';
import { type EgressProxy, proxyName } from './egress-proxy.ts';
import { causes, describeError, errorCode, oneLine } from './network-error.ts';

/**
 * Resolves with the proxy's answer when the next bytes on the socket are the target's.
 * @throws MachineIdError EGRESS_PROXY_FAILED, or the signal's reason
 */
export async function requestByConnect(socket: Socket, request: TunnelRequest): Promise<string> {
  let answer: Answer;
  try {
    answer = await sendConnect(socket, request);
  } catch (error) {
    request.signal.throwIfAborted();
    throw brokenAnswer(request, error);
  }
  const { head, response } = answer;
  const { statusCode: status = 0, statusMessage = '' } = response;
  const problem = refusal(request, response) ?? webPage(request, answer);
  if (problem !== undefined) throw problem;
  // Some servers speak first: what came with the answer is the target's.
  if (head.length > 0) socket.unshift(head);
  return oneLine(`${status} ${statusMessage}`);
}

interface Answer {
  readonly response: IncomingMessage;
  /** What followed the header. */
  readonly head: Buffer;
}

function sendConnect(socket: Socket, { proxy, signal, target }: TunnelRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const host = formatAddress(target);
    const request = httpRequest({
      method: 'CONNECT',
      path: host,
      host: proxy.address.host,
      headers: { host, 'user-agent': USER_AGENT, ...authorization(proxy) },
      createConnection: () => socket,
      signal,
    });
    request.removeHeader('connection');
    request.once('connect', (response, _socket, head) => {
      resolve({ response, head });
    });
    request.once('error', reject);
    request.end();
  });
}

function authorization({ login }: EgressProxy): Readonly<Record<string, string>> {
  if (login === undefined) return {};
  const text = Buffer.from(`${login.user.reveal()}:${login.password.reveal()}`);
  return { 'proxy-authorization': `Basic ${text.toString('base64')}` };
}

/** Node's own parser reports what is not HTTP with codes that begin with `HPE_`. */
function brokenAnswer(request: TunnelRequest, cause: unknown): MachineIdError {
  const isForeign = causes(cause).some((one) => /^HPE_(?!INVALID_EOF_STATE)/.test(errorCode(one)));
  if (!isForeign) return endedEarly(request, cause);
  const { proxy, target } = request;
  return egressFailure(
    `${proxyName(proxy)} does not speak HTTP: its answer to CONNECT ${formatAddress(target)} cannot be read (${describeError(cause)})`,
    {
      hint: `Check the port in ${proxy.variable}. Write socks5:// for a SOCKS proxy, or https:// for a proxy that speaks TLS.`,
      cause,
    },
  );
}

function refusal(
  request: TunnelRequest,
  { headers, statusCode: status = 0 }: IncomingMessage,
): MachineIdError | undefined {
  const { proxy, target } = request;
  const [name, to] = [proxyName(proxy), formatAddress(target)];
  const got = `HTTP status ${status}`;
  // RFC 9110 allows any 2xx, but Go's clients, and so Teleport's, accept only 200.
  if (status === 200) return undefined;
  switch (status) {
    case 407:
      return loginRefused(request, [headers['proxy-authenticate'] ?? ''].flat().join(', '));
    case 403:
      return egressFailure(`${name} does not allow connections to ${to} (${got})`, {
        hint: `Ask the administrators of the proxy to allow CONNECT to ${to}, or add ${target.host} to NO_PROXY if this job reaches it directly.`,
      });
    case 500: // of tinyproxy and, if no DNS server responds, of squid
    case 502:
    case 503:
    case 504:
      return egressFailure(`${name} cannot connect to ${to} (${got})`, {
        hint: `Check that the proxy resolves and reaches ${to}, or add ${target.host} to NO_PROXY if this job reaches it directly.`,
        isTransient: true,
      });
    default:
      return egressFailure(`${name} answered CONNECT ${to} with ${got}, expected 200`, {
        hint: `Check that ${proxy.variable} is the address of a proxy that allows CONNECT to port ${target.port}, and not of another web server.`,
      });
  }
}

/** Only Basic can be answered: the other schemes need Kerberos, or a password that is sent in several steps. */
function loginRefused({ proxy, target }: TunnelRequest, offered: string): MachineIdError {
  const [name, { variable }] = [proxyName(proxy), proxy];
  // `Basic realm="a, b", NTLM`: a space, a comma or the end follows a scheme, and `=` a parameter.
  const found = offered.replace(/"[^"]*"/g, '').matchAll(/(?:^|,)\s*([\w-]+)(?=\s|,|$)/g);
  const schemes = [...found].map(([, scheme = '']) => scheme);
  if (schemes.length > 0 && !schemes.some((one) => one.toLowerCase() === 'basic')) {
    return egressFailure(
      `${name} offers only the authentication ${schemes.join(', ')}, expected Basic (HTTP status 407)`,
      {
        hint: `Ask the administrators of the proxy to accept Basic authentication, or to let this job connect to ${formatAddress(target)} without a login.`,
      },
    );
  }
  if (proxy.login === undefined) {
    return egressFailure(`${name} requires a user and a password (HTTP status 407)`, {
      hint: `Add them to ${variable}, percent-encoded: ${proxy.scheme}://user:password@host:port. Keep the value in a context of CircleCI.`,
    });
  }
  return egressFailure(`${name} rejected the user and password (HTTP status 407)`, {
    hint: `Correct user and password in ${variable}; percent-encode the characters %, @, :, /, ? and # in them.`,
  });
}

/** A web server may answer any method with a page. Nothing behind a tunnel begins like one. */
function webPage({ proxy, target }: TunnelRequest, { head, response }: Answer): MachineIdError | undefined {
  const type = response.headers['content-type'] ?? '';
  if (!/^\s*<(!doctype|html|\?xml)/i.test(head.toString('latin1')) && !type.startsWith('text/html')) return undefined;
  return egressFailure(
    `${proxyName(proxy)} answered CONNECT ${formatAddress(target)} with a web page, expected a tunnel`,
    {
      hint: `Check that ${proxy.variable} is the address of a proxy and not of another web server, and that no login page (captive portal) is in between.`,
    },
  );
}
