/** Interprets the result of a probe: whether a connection of a job is open, and if not, why. */
import { MachineIdError } from '../../errors.ts';
import { causes, errorCode, oneLine } from '../../net/network-error.ts';
import type { ChainLink, ProbeResult, TlsFacts } from '../../net/probe.ts';
import { type Endpoint, hostPortText } from './egress-endpoints.ts';

/**
 * `other`: an unexpected server responded. `unresolved`: the host name has no address. `untried`: the destination is
 * unknown. `none`: no connection is made.
 */
export type EgressResult = 'open' | 'closed' | 'dropped' | 'other' | 'unresolved' | 'untried' | 'none';

export interface Verdict {
  readonly result: EgressResult;
  /** One sentence. */
  readonly detail: string;
}

export interface Expected {
  readonly endpoint: Endpoint;
  /** The issuer's name in the cluster's own certificates. */
  readonly clusterName: string | undefined;
  /** Whether the cluster's authorities are known, so that the certificate can be verified. */
  readonly authoritiesKnown: boolean;
  /** False with `insecure`: any web certificate is accepted, as by `run`. */
  readonly verify: boolean;
  readonly limitMs: number;
}

export function verdictOf(expected: Expected, probed: ProbeResult): Verdict {
  const { endpoint } = expected;
  const hasAnswer = probed.stoppedAt === 'answer' || probed.stoppedAt === 'done';
  if (hasAnswer && endpoint.isBehindBalancer && endpoint.atBalancer === 'certificate-lost') {
    return certificateLost(endpoint, probed);
  }
  switch (probed.stoppedAt) {
    case 'lookup':
      return {
        result: 'unresolved',
        detail: `The host name cannot be resolved: ${errorText(probed.error, expected)}.`,
      };
    case 'connect':
      return notConnected(expected, probed.error);
    case 'inside':
      return notUpgraded(expected, probed.error);
    case 'answer':
      return endpoint.protocol === 'tls' ? noHandshake(expected, probed) : noGreeting(expected, probed);
    case 'done':
      return probed.tls === undefined ? greeting(expected, probed) : tlsVerdict(expected, probed.tls);
    default:
      return probed.stoppedAt satisfies never;
  }
}

const SILENT = /^(TIMEOUT|ETIMEDOUT)$/;

function isSilence(error: unknown): boolean {
  return causes(error).some((one) => SILENT.test(errorCode(one)));
}

function notConnected({ endpoint, limitMs }: Expected, error: unknown): Verdict {
  if (error instanceof MachineIdError && error.code === 'EGRESS_PROXY_FAILED') {
    return { result: isSilence(error) ? 'dropped' : 'closed', detail: `${capitalized(error.message)}.` };
  }
  const refused = attempts(error).some((one) => !SILENT.test(errorCode(one)));
  if (!refused) {
    return { result: 'dropped', detail: `There is no response to the TCP connection within ${limitMs / 1000} s.` };
  }
  const codes = [...new Set(attempts(error).map(errorCode))].join(', ');
  const what = codes.includes('ECONNREFUSED')
    ? `Port ${endpoint.port ?? ''} refuses the TCP connection`
    : 'The host cannot be reached';
  return { result: 'closed', detail: `${what} (${codes === '' ? oneLine(String(error)) : codes}).` };
}

/** The outer connection, or the request for the upgrade. */
function notUpgraded({ limitMs }: Expected, error: unknown): Verdict {
  const isProblem = error instanceof MachineIdError && error.code !== 'TIMEOUT';
  if (!isProblem) {
    return { result: 'dropped', detail: `There is no response to the connection upgrade within ${limitMs / 1000} s.` };
  }
  const { code, hint, likelyCauses, message } = error;
  const [cause] = likelyCauses;
  const because = code === 'UPGRADE_REFUSED' && cause !== undefined ? ` Likely cause: ${cause}.` : '';
  const isClosed = code === 'PROXY_UNREACHABLE' || code === 'EGRESS_PROXY_FAILED';
  const advice = code === 'UPGRADE_REFUSED' ? ` ${hint}` : '';
  return {
    result: !isClosed ? 'other' : isSilence(error) ? 'dropped' : 'closed',
    detail: `${capitalized(message)}.${because}${advice}`,
  };
}

const CLIENTS: Readonly<Record<NonNullable<Endpoint['by']>, string>> = {
  kubectl: 'kubectl',
  teleport: "Teleport's programs",
  'database client': 'database clients',
  'other program': 'HTTP clients such as curl',
};

function certificateLost({ by = 'other program' }: Endpoint, { tls }: ProbeResult): Verdict {
  const balancer =
    tls === undefined ? 'A load balancer' : `A load balancer with the certificate of ${signer(tls.chain)},`;
  return {
    result: 'other',
    detail: `${balancer} terminates TLS: the certificate of ${CLIENTS[by]} does not reach the Proxy. Let the load balancer pass TLS through (layer 4).`,
  };
}

function capitalized(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** Each address of a name is tried, and all failures are reported together. */
function attempts(error: unknown): readonly Error[] {
  if (error instanceof AggregateError) return error.errors.filter((one) => one instanceof Error);
  return error instanceof Error ? [error] : [];
}

function noHandshake(expected: Expected, { error, received }: ProbeResult): Verdict {
  const { endpoint, limitMs } = expected;
  const alert = alertIn(error);
  if (alert !== undefined) return alertVerdict(endpoint, alert);
  if (received.length > 0 && !isTls(received)) {
    return { result: 'other', detail: `The response is ${described(received)}, which is not TLS.` };
  }
  if (isSilence(error)) {
    const when =
      received.length === 0
        ? `${carrier(endpoint)} opens, but there is no response to the TLS ClientHello with this SNI and ALPN`
        : 'The TLS handshake does not complete';
    return { result: 'dropped', detail: `${when} within ${limitMs / 1000} s.` };
  }
  if (received.length === 0) {
    return {
      result: 'closed',
      detail: `${carrier(endpoint)} opens, but is closed without a TLS response (${errorText(error, expected)}).`,
    };
  }
  return { result: 'other', detail: `The TLS handshake fails: ${errorText(error, expected)}.` };
}

function carrier({ atBalancer, isBehindBalancer }: Endpoint): string {
  return isBehindBalancer && atBalancer === 'upgraded' ? 'The connection upgrade' : 'The TCP connection';
}

/** RFC 8446 section 5.1: the first record of a server is a handshake or an alert, followed by the major version. */
function isTls(received: Buffer): boolean {
  return [0x16, 0x15].includes(received[0] ?? 0) && (received[1] ?? 3) === 3;
}

/** OpenSSL's name of an alert, as in `tlsv1 alert no application protocol`. */
function alertIn(error: unknown): string | undefined {
  const code = causes(error)
    .map(errorCode)
    .find((one) => one.includes('_ALERT_'));
  return code
    ?.replace(/^.*_ALERT_/, '')
    .toLowerCase()
    .replaceAll('_', ' ');
}

/** The alerts by which services that require a client certificate end a TLS 1.2 handshake, after sending their own. */
const CERTIFICATE_REQUIRED_ALERTS = ['bad certificate', 'certificate required', 'handshake failure'];

function alertVerdict({ certificate }: Endpoint, alert: string): Verdict {
  if (certificate === 'host' && CERTIFICATE_REQUIRED_ALERTS.includes(alert)) {
    return { result: 'open', detail: `The server requires the certificate of a bot (TLS alert "${alert}").` };
  }
  const detail =
    alert === 'no application protocol'
      ? 'The server rejects the ALPN: something in front of the Proxy, such as a load balancer, terminates TLS, or the port is wrong.'
      : `The server rejects the TLS handshake with the alert "${alert}".`;
  return { result: 'other', detail };
}

/** Short description of a response in an unexpected protocol. */
function described(received: Buffer): string {
  const line = (received.toString('latin1').split(/\r?\n/, 1)[0] ?? '').slice(0, 60);
  if (!/^[\x20-\x7e]{4,}$/.test(line)) return `${received.length} bytes of another protocol`;
  if (line.startsWith('HTTP/')) return `HTTP ("${line}")`;
  return line.startsWith('SSH-') ? `SSH ("${line}")` : `"${line}"`;
}

function noGreeting(expected: Expected, { error }: ProbeResult): Verdict {
  if (isSilence(error)) {
    return {
      result: 'dropped',
      detail: `The TCP connection opens, but there is no response within ${expected.limitMs / 1000} s.`,
    };
  }
  return {
    result: 'closed',
    detail: `The TCP connection opens, but is closed without a response (${errorText(error, expected)}).`,
  };
}

/** First bytes of a server: SSH as in RFC 4253 section 4.2, PostgreSQL one letter, MySQL protocol version 10 or an error. */
const GREETINGS = {
  ssh: /^SSH-/,
  postgres: /^[SN]$/,
  mysql: /^[^]{3}\0[\n\xff]/,
  tcp: /^/,
  tls: /^/,
} as const;

function greeting({ endpoint: { protocol = 'tcp' } }: Expected, { received }: ProbeResult): Verdict {
  if (protocol === 'tcp') return { result: 'open', detail: 'The TCP connection opens.' };
  if (GREETINGS[protocol].test(received.toString('latin1')))
    return { result: 'open', detail: `The server speaks ${protocol}.` };
  return { result: 'other', detail: `The response is ${described(received)}, expected ${protocol}.` };
}

function tlsVerdict(expected: Expected, tls: TlsFacts): Verdict {
  const { endpoint } = expected;
  const problem = endpoint.certificate === 'host' ? foreignCertificate(expected, tls) : untrusted(expected, tls);
  if (problem !== undefined) return { result: 'other', detail: problem };
  const { alpn } = tls;
  const chosen = alpn ?? 'no protocol';
  if (alpn === undefined ? endpoint.alpnMustBeAnswered : endpoint.alpn.length > 0 && !endpoint.alpn.includes(alpn)) {
    return {
      result: 'other',
      detail: `The server chooses ${chosen}, expected ${endpoint.alpn.at(-1) ?? ''}: something in front of the Proxy, such as a load balancer, terminates TLS.`,
    };
  }
  return {
    result: 'open',
    detail: `${tls.protocol} opens, with ${alpn === undefined ? 'no ALPN' : `ALPN ${alpn}`} and the certificate of ${signer(tls.chain)}.`,
  };
}

function untrusted({ verify }: Expected, { chain, verifyError: reason }: TlsFacts): string | undefined {
  if (reason === undefined || !verify) return undefined;
  return `The server presents an untrusted certificate: ${signer(chain)} (${reason}).`;
}

/**
 * The authority's certificate is known only after a join. Without it, the issuer's name is compared: a device that
 * terminates TLS signs with its own name.
 */
function foreignCertificate(
  { authoritiesKnown, clusterName, endpoint }: Expected,
  { chain, verifyError: reason, nameFits }: TlsFacts,
): string | undefined {
  const isForeign = authoritiesKnown
    ? reason !== undefined
    : clusterName !== undefined && chain[0]?.issuer !== clusterName;
  if (!isForeign && nameFits) return undefined;
  const authority = `the host authority of ${clusterName ?? 'the cluster'}`;
  const name = endpoint.certificateName ?? endpoint.host ?? '';
  return `The server presents the certificate of ${signer(chain)}, expected one of ${authority} for ${name}: something in between terminates TLS, or the port is wrong.`;
}

function signer(chain: readonly ChainLink[]): string {
  const [leaf] = chain;
  return leaf === undefined ? 'an unknown server' : oneLine(`${leaf.subject}, signed by ${leaf.issuer}`);
}

/** Node's own error code or message, without the sentence about deadlines that other commands print. */
function errorText(error: unknown, { endpoint, limitMs }: Expected): string {
  const innermost = causes(error).at(-1);
  if (innermost === undefined) return oneLine(String(error));
  if (errorCode(innermost) === 'TIMEOUT') return `no response within ${limitMs / 1000} s`;
  const code = errorCode(innermost);
  return code === '' ? oneLine(innermost.message).replace(hostPortText(endpoint), 'the server') : code;
}
