/** Turns a failed connection into an error with likely causes and a hint. */
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { causes, errorCode, networkFailure, oneLine } from './network-error.ts';
import { presentedCertificate } from './tls.ts';
import type { WebTrust } from './trust.ts';

/** For a failed connection to the Proxy's web address; returns a MachineIdError unchanged. */
export function proxyFailure(
  address: Address,
  cause: unknown,
  { weakness }: Pick<WebTrust, 'weakness'> = {},
): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const problem = networkFailure(cause);
  const where = `the Proxy ${formatAddress(address)}`;
  const likelyCauses = connectionCauses(address, cause);
  const transient = problem.isTransient ? {} : undefined;
  switch (problem.kind) {
    case 'name':
      return new MachineIdError('PROXY_UNREACHABLE', `cannot resolve the host name of ${where}: ${problem.detail}`, {
        hint: 'Check the spelling of the Proxy address. A private name needs a runner that can resolve it.',
        cause,
        likelyCauses,
        transient,
        unreached: address,
      });
    case 'untrusted':
      return new MachineIdError(
        'PROXY_UNTRUSTED',
        `the web certificate of ${where} is not trusted: ${problem.detail}`,
        {
          hint: 'If a private authority signed it, pass its PEM with --ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS. If the name differs, use the name in the certificate.',
          cause,
          likelyCauses: [...(weakness === undefined ? [] : [weakness]), ...signedBy(cause), ...likelyCauses],
          unreached: address,
        },
      );
    case 'refused-by-peer':
    case 'wrong-protocol':
    case 'unreachable':
      return new MachineIdError('PROXY_UNREACHABLE', `cannot connect to ${where}: ${problem.detail}`, {
        hint: 'Check the host and port (the web port of the Proxy is usually 443 or 3080) and that this job can reach it: "doctor --egress" tries every connection that the job needs.',
        cause,
        likelyCauses,
        transient,
        unreached: problem.kind === 'unreachable' ? address : undefined,
      });
    default:
      return problem.kind satisfies never;
  }
}

/** Where the Auth Service is reached: at its own address, or through a Proxy at the address. */
export interface AuthPlace {
  readonly address: Address;
  readonly isDirect: boolean;
}

/** `the Auth Service behind a.example.com:443` */
export function authName({ address, isDirect }: AuthPlace): string {
  return `the Auth Service ${isDirect ? '' : 'behind '}${formatAddress(address)}`;
}

/** Why a load balancer that terminates TLS is not passed by an upgrade of the connection, and what to do about that. */
export interface UpgradeNote {
  readonly cause: string;
  readonly hint: string;
}

/**
 * For a failed connection to the Auth Service; returns a MachineIdError unchanged.
 * @param note undefined if nothing is known about upgrades
 */
export function authFailure(place: AuthPlace, cause: unknown, note?: UpgradeNote): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  if (place.isDirect) return directFailure(place, cause);
  const { address } = place;
  const problem = networkFailure(cause);
  const where = authName(place);
  if (isAboutAlpn(cause)) return tlsTerminatedError('AUTH_UNREACHABLE', { where, address, cause, note });
  // The port is the Proxy's, and the Proxy was reached: do not explain a wrong port.
  const reached = { ...address, port: 443 };
  const likelyCauses = connectionCauses(reached, cause);
  switch (problem.kind) {
    case 'untrusted':
      return isAboutTime(cause)
        ? new MachineIdError('AUTH_UNTRUSTED', `${where} has a certificate that is not valid now: ${problem.detail}`, {
            hint: 'Check that the clocks of the runner and the cluster agree.',
            cause,
            likelyCauses,
          })
        : tlsTerminatedError('AUTH_UNTRUSTED', { where, address, cause, note });
    case 'refused-by-peer':
      return new MachineIdError('AUTH_DENIED', `${where} rejected the bot's certificate: ${problem.detail}`, {
        hint: 'Check that the bot is not locked and that the clocks of the runner and the cluster agree.',
        cause,
        likelyCauses,
      });
    case 'name':
    case 'wrong-protocol':
    case 'unreachable':
      return new MachineIdError('AUTH_UNREACHABLE', `cannot connect to ${where}: ${problem.detail}`, {
        hint: 'Check what is between this job and the Proxy: "doctor --egress" tries each way to the Auth Service, with its host, port, SNI and ALPN.',
        cause,
        likelyCauses,
        transient: problem.isTransient ? {} : undefined,
        unreached: address,
      });
    default:
      return problem.kind satisfies never;
  }
}

/** At the Auth Service's own port, nothing routes by ALPN, and no other certificate than the cluster's own is right. */
function directFailure(place: AuthPlace, cause: unknown): MachineIdError {
  const { address } = place;
  const { detail, isTransient, kind } = networkFailure(cause);
  const where = authName(place);
  const details = { cause, likelyCauses: connectionCauses(address, cause, AUTH_PORT), unreached: address };
  switch (kind) {
    case 'untrusted':
      return new MachineIdError('AUTH_UNTRUSTED', `the certificate of ${where} is not trusted: ${detail}`, {
        ...details,
        likelyCauses: isAboutTime(cause) ? details.likelyCauses : [...signedBy(cause), OTHER_AUTHORITY, INTERCEPTED],
        hint: 'Check that ca_path (or --ca-path) holds the host authority of this cluster ("tctl auth export --type=tls-host"), and that nothing in between intercepts TLS.',
      });
    case 'refused-by-peer':
      return new MachineIdError('AUTH_DENIED', `${where} rejected the bot's certificate: ${detail}`, {
        ...details,
        hint: 'Check that the bot is not locked and that the clocks of the runner and the cluster agree.',
      });
    case 'name':
    case 'wrong-protocol':
    case 'unreachable':
      return new MachineIdError('AUTH_UNREACHABLE', `cannot connect to ${where}: ${detail}`, {
        ...details,
        hint: 'Check the host and port (usually 3025) and that this job can reach it: "doctor --egress" tries every connection that the job needs. Or join through the Proxy: set proxy_server.',
        transient: isTransient ? {} : undefined,
      });
    default:
      return kind satisfies never;
  }
}

/**
 * For a failed connection to the Proxy's transport service, where the Proxy presents a certificate of the cluster's host
 * authority; returns a MachineIdError unchanged.
 */
export function transportFailure(address: Address, cause: unknown, note?: UpgradeNote): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const where = `the transport service of the Proxy ${formatAddress(address)}`;
  if (isAboutAlpn(cause)) return tlsTerminatedError('PROXY_UNREACHABLE', { where, address, cause, note });
  return isTlsTerminated(cause)
    ? tlsTerminatedError('PROXY_UNTRUSTED', { where, address, cause, note })
    : proxyFailure(address, cause);
}

interface TlsTermination {
  readonly where: string;
  readonly address: Address;
  readonly cause: unknown;
  readonly note?: UpgradeNote | undefined;
}

/**
 * For a server that does not accept Teleport's ALPN, or whose certificate is not signed by the host authority. The Proxy
 * has both; a layer 7 load balancer or a TLS-inspecting proxy has neither.
 */
export function tlsTerminatedError(
  code: 'AUTH_UNTRUSTED' | 'AUTH_UNREACHABLE' | 'PROXY_UNTRUSTED' | 'PROXY_UNREACHABLE',
  { address, cause, note, where }: TlsTermination,
): MachineIdError {
  const { detail, kind } = networkFailure(cause);
  const seen =
    kind === 'untrusted' ? `the certificate is not signed by the cluster's host authority: ${detail}` : detail;
  return new MachineIdError(
    code,
    `cannot reach ${where}: something in between terminates TLS and drops Teleport's ALPN, as a layer 7 load balancer does (${seen})`,
    {
      hint: `${note === undefined ? '' : `${note.hint} `}Exempt the Proxy's host from TLS inspection, or let the load balancer in front of the Proxy pass TLS through (layer 4).`,
      cause,
      likelyCauses: [
        ...(note === undefined ? [] : [note.cause]),
        ...answeredInstead(cause),
        'a load balancer in front of the Proxy terminates TLS, such as an AWS ALB, an ingress controller or nginx',
        INTERCEPTED,
        ...(kind === 'untrusted' ? ['the host authority was rotated after the bot joined: run the job again'] : []),
      ],
      unreached: address,
    },
  );
}

/** @param server the header `Server` of a response */
export function answeredBy(server: string | undefined): readonly string[] {
  if (server === undefined || server.trim() === '') return [];
  return [`the response comes from or through another server, which calls itself ${JSON.stringify(oneLine(server))}`];
}

function answeredInstead(cause: unknown): readonly string[] {
  const [presented] = causes(cause).flatMap((one) => presentedCertificate(one) ?? []);
  if (presented === undefined) return [];
  return [`another server answered: its certificate is for ${presented.subject}, signed by ${presented.issuer}`];
}

/** The certificate that is not trusted: its issuer may be a device that intercepts TLS. Empty if it is not known, or only its time is wrong. */
function signedBy(cause: unknown): readonly string[] {
  const [presented] = causes(cause).flatMap((one) => presentedCertificate(one) ?? []);
  if (presented === undefined || isAboutTime(cause)) return [];
  const { issuer, subject } = presented;
  return issuer === subject
    ? [`the certificate is for ${subject} and signed by itself`]
    : [`the certificate is for ${subject}, signed by ${issuer}, which this machine does not trust`];
}

/** Whether a server other than Teleport's may have answered: it does not know the ALPN protocols, or has another certificate. */
export function isTlsTerminated(error: unknown): boolean {
  return isAboutAlpn(error) || (networkFailure(error).kind === 'untrusted' && !isAboutTime(error));
}

/** The alert of a server that supports none of the protocols, and OpenSSL's error for one that was not offered. */
export function isAboutAlpn(error: unknown): boolean {
  return causes(error).some((one) => /NO_APPLICATION_PROTOCOL|BAD_EXTENSION/.test(errorCode(one)));
}

function isAboutTime(error: unknown): boolean {
  return causes(error).some((one) => /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(errorCode(one)));
}

// The likely causes of a failed connection, by error code and address, most likely first.

/** @param ports the usual port of the server */
type Explain = (address: Address, ports: string) => readonly string[];

const WEB_PORTS = 'the web port of a Proxy is usually 443 or 3080';
const AUTH_PORT = 'the port of an Auth Service is usually 3025';

/** Default ports of Teleport's other services. */
const OTHER_PORTS: ReadonlyMap<number, string> = new Map([
  [3022, "a node's SSH service"],
  [3023, "the Proxy's SSH service"],
  [3024, "the Proxy's reverse tunnels"],
  [3025, 'the Auth Service'],
  [3026, "the Proxy's Kubernetes service"],
  [3036, "the Proxy's MySQL service"],
]);

const FIREWALL = 'a firewall drops packets from this machine: CircleCI publishes the IP ranges of its machines';
const PRIVATE_ADDRESS = 'the address is in a private network: use a self-hosted runner there';
const PRIVATE_NAME = 'the name is in a private network: use a self-hosted runner there';
/** Used if no variable names the proxy; if one does, `egress-cause.ts` replaces this cause. */
export const VIA_PROXY = 'this network requires an HTTP or SOCKS proxy: set HTTPS_PROXY to its address';
const CLOCK = "this machine's clock is wrong";
/** A server that sends nothing. */
export const NO_ANSWER = [FIREWALL, PRIVATE_ADDRESS, VIA_PROXY];
const OTHER_AUTHORITY = 'the file of ca_path is from another cluster, or from before a rotation of the host authority';
/** If the connection goes through an HTTP proxy, `egress-cause.ts` names it in place of this cause. */
export const INTERCEPTED = 'something in between intercepts TLS and presents its own certificate';

const BY_CODE: readonly (readonly [RegExp, Explain])[] = [
  [/^(ENOTFOUND|EAI_NONAME|EAI_NODATA)$/, () => ['the host name is misspelled', PRIVATE_NAME, VIA_PROXY]],
  [
    /^(EAI_AGAIN|EAI_FAIL)$/,
    () => ["this machine's DNS server did not respond: run the job again", 'no DNS server can be reached', VIA_PROXY],
  ],
  [
    /^ECONNREFUSED$/,
    ({ port }, ports) => [
      `nothing listens on port ${port}; ${ports}`,
      `the ${ports === AUTH_PORT ? 'Auth Service' : 'Proxy'} is down or restarting`,
      'a firewall rejects connections from this machine',
    ],
  ],
  [/^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)$/, () => NO_ANSWER],
  [/^(EACCES|EPERM|EINVAL)$/, () => [VIA_PROXY]],
  [
    /^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/,
    () => ['a firewall or load balancer closed the connection', 'the port belongs to another service', VIA_PROXY],
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_LAYER_FAILURE|^EPROTO$/,
    ({ port }, ports) => [`port ${port} does not speak TLS; ${ports}`],
  ],
  [
    /NO_APPLICATION_PROTOCOL/,
    () => [
      'a load balancer in front of the Proxy terminates TLS and does not know the ALPN values of Teleport',
      'the address is not a Teleport Proxy',
    ],
  ],
  [/UNRECOGNIZED_NAME/, ({ host }) => [`the server does not serve the host ${host}: use the name in its certificate`]],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, () => ['the server does not support TLS 1.2 or later']],
  [
    /^(UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    () => [
      'a private authority signed the certificate: pass its PEM',
      'the server does not send the intermediate certificate: configure it with the full chain',
      INTERCEPTED,
    ],
  ],
  [
    /SELF_SIGNED/,
    () => [
      "the Proxy uses Teleport's self-signed certificate, or one from a private authority: pass its PEM",
      INTERCEPTED,
    ],
  ],
  [/^CERT_HAS_EXPIRED$/, () => ['the certificate was not renewed', CLOCK]],
  [/^CERT_NOT_YET_VALID$/, () => [CLOCK, 'the machine that issued the certificate had a wrong clock']],
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    ({ host }) => [`the certificate does not name ${host}: use a name that it does`, INTERCEPTED],
  ],
  [
    /ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE|ACCESS_DENIED)/,
    () => ['the bot was locked or removed after it joined', 'the clocks of this machine and the cluster differ'],
  ],
];

/** Empty for a failure without a known code. */
function connectionCauses(address: Address, error: unknown, ports = WEB_PORTS): readonly string[] {
  const codes = causes(error).map(errorCode);
  const [, explain] = BY_CODE.find(([pattern]) => codes.some((code) => pattern.test(code))) ?? [];
  if (explain === undefined) return [];
  const other = ports === AUTH_PORT && address.port === 3025 ? undefined : OTHER_PORTS.get(address.port);
  const portCause = other === undefined ? [] : [`port ${address.port} is usually ${other}; ${ports}`];
  return [...portCause, ...explain(address, ports)];
}
