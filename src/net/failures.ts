/** Turns failed connections into errors that say what to do. */
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { causes, errorCode, networkFailure } from './network-error.ts';
import type { WebTrust } from './trust.ts';

/** A connection to the Proxy's web address that failed; a MachineIdError passes through as it is. */
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
      return new MachineIdError(
        'PROXY_UNREACHABLE',
        `the host name of ${where} cannot be looked up: ${problem.detail}`,
        {
          hint: 'Check the spelling of the Proxy address; a private name needs a runner that can resolve it.',
          cause,
          likelyCauses,
          transient,
          unreached: address,
        },
      );
    case 'untrusted':
      return new MachineIdError(
        'PROXY_UNTRUSTED',
        `the web certificate of ${where} is not trusted: ${problem.detail}`,
        {
          hint: 'If a private authority signs it, give its PEM with --ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS; if the name differs, use the name in the certificate.',
          cause,
          likelyCauses: [...(weakness === undefined ? [] : [weakness]), ...likelyCauses],
        },
      );
    case 'refused-by-peer':
    case 'wrong-protocol':
    case 'unreachable':
      return new MachineIdError('PROXY_UNREACHABLE', `cannot connect to ${where}: ${problem.detail}`, {
        hint: 'Check host and port (the web port of the Proxy, usually 443 or 3080) and that this job may reach it: "doctor --egress" tries every connection of the job.',
        cause,
        likelyCauses,
        transient,
        unreached: problem.kind === 'unreachable' ? address : undefined,
      });
    default:
      return problem.kind satisfies never;
  }
}

/** A connection to the Auth Service through the Proxy that failed; a MachineIdError passes through as it is. */
export function authFailure(address: Address, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const problem = networkFailure(cause);
  const where = `the Auth Service behind ${formatAddress(address)}`;
  if (isAboutAlpn(cause)) return tlsTerminatedError('AUTH_UNREACHABLE', where, cause);
  // Its port is that of the Proxy, which has been reached.
  const reached = { ...address, port: 443 };
  const likelyCauses = connectionCauses(reached, cause);
  switch (problem.kind) {
    case 'untrusted':
      return isOfTime(cause)
        ? new MachineIdError(
            'AUTH_UNTRUSTED',
            `${where} shows a certificate that is not valid now: ${problem.detail}`,
            {
              hint: 'Check that the clocks of runner and cluster agree.',
              cause,
              likelyCauses,
            },
          )
        : tlsTerminatedError('AUTH_UNTRUSTED', where, cause);
    case 'refused-by-peer':
      return new MachineIdError('AUTH_DENIED', `${where} refused the certificate of the bot: ${problem.detail}`, {
        hint: 'Check that the bot is not locked and that the clocks of runner and cluster agree.',
        cause,
        likelyCauses,
      });
    case 'name':
    case 'wrong-protocol':
    case 'unreachable':
      return new MachineIdError('AUTH_UNREACHABLE', `no connection to ${where}: ${problem.detail}`, {
        hint: 'The Auth Service is reached through the web port of the Proxy (TLS routing): something on the way may drop ALPN, as load balancers that terminate TLS do.',
        cause,
        likelyCauses,
        transient: problem.isTransient ? {} : undefined,
      });
    default:
      return problem.kind satisfies never;
  }
}

/**
 * A connection to the Proxy's transport service that failed, where the Proxy shows a certificate of the cluster's host
 * authority; a MachineIdError passes through as it is.
 */
export function transportFailure(address: Address, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const where = `the transport service of the Proxy ${formatAddress(address)}`;
  if (isAboutAlpn(cause)) return tlsTerminatedError('PROXY_UNREACHABLE', where, cause);
  const isUntrusted = networkFailure(cause).kind === 'untrusted' && !isOfTime(cause);
  return isUntrusted ? tlsTerminatedError('PROXY_UNTRUSTED', where, cause) : proxyFailure(address, cause);
}

/**
 * Where Teleport's ALPN reaches the Proxy, what answers has a certificate of the host authority and accepts that ALPN: a
 * load balancer of layer 7 (or an inspecting proxy) has neither.
 */
export function tlsTerminatedError(
  code: 'AUTH_UNTRUSTED' | 'AUTH_UNREACHABLE' | 'PROXY_UNTRUSTED' | 'PROXY_UNREACHABLE',
  where: string,
  cause: unknown,
): MachineIdError {
  const { detail, kind } = networkFailure(cause);
  const seen = kind === 'untrusted' ? `the certificate is not of the cluster's host authority: ${detail}` : detail;
  return new MachineIdError(
    code,
    `${where} cannot be reached: what answers terminates TLS and drops Teleport's ALPN, as a layer 7 load balancer does (${seen})`,
    {
      hint: 'Give an address that reaches the Proxy itself, or let the load balancer pass TLS through to the Proxy (layer 4); exempt the host from TLS inspection.',
      cause,
      likelyCauses: [
        'a load balancer in front of the Proxy terminates TLS, such as an AWS ALB, an ingress controller or nginx',
        'an HTTP proxy or a firewall inspects TLS with a certificate of its own',
        ...(kind === 'untrusted' ? ['the host authority was rotated since the bot has joined: run the job again'] : []),
      ],
    },
  );
}

/** The alert of a server that knows none of the protocols, and what OpenSSL says of one that was not offered. */
function isAboutAlpn(error: unknown): boolean {
  return causes(error).some((one) => /NO_APPLICATION_PROTOCOL|BAD_EXTENSION/.test(errorCode(one)));
}

function isOfTime(error: unknown): boolean {
  return causes(error).some((one) => /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(errorCode(one)));
}

// Why a connection fails, by the code of the failure and the address, most likely first.

type Explain = (address: Address) => readonly string[];

const WEB_PORTS = 'the web port of a Proxy is usually 443 or 3080';

/** Teleport's other ports by their defaults. */
const OTHER_PORTS: ReadonlyMap<number, string> = new Map([
  [3022, "a node's SSH service"],
  [3023, "the Proxy's SSH service"],
  [3024, "the Proxy's reverse tunnels"],
  [3025, 'the Auth Service'],
  [3026, "the Proxy's Kubernetes service"],
  [3036, "the Proxy's MySQL service"],
]);

const FIREWALL = 'a firewall drops packets from this machine: CircleCI publishes the ranges of its own';
const PRIVATE = 'the address is of a private network: use a self-hosted runner in it';
/** Where no variable names it; `proxy-variables.ts` says it where one does. */
export const VIA_PROXY = 'the way out is an HTTP proxy, which this program does not use yet';
const CLOCK = "this machine's clock is wrong";
const OPENED = 'something on the way opens TLS with a certificate of its own';

const BY_CODE: readonly (readonly [RegExp, Explain])[] = [
  [/^(ENOTFOUND|EAI_NONAME|EAI_NODATA)$/, () => ['the host name is misspelt', PRIVATE.replace('address', 'name')]],
  [
    /^(EAI_AGAIN|EAI_FAIL)$/,
    () => ["this machine's name server did not answer: run the job again", 'no name server can be reached'],
  ],
  [
    /^ECONNREFUSED$/,
    ({ port }) => [`nothing listens on port ${port}; ${WEB_PORTS}`, 'the Proxy is down or being restarted'],
  ],
  [/^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)$/, () => [FIREWALL, PRIVATE, VIA_PROXY]],
  [
    /^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/,
    () => ['a firewall or load balancer on the way ended the connection', 'the port is of another service', VIA_PROXY],
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_LAYER_FAILURE|^EPROTO$/,
    ({ port }) => [`port ${port} does not speak TLS; ${WEB_PORTS}`],
  ],
  [
    /NO_APPLICATION_PROTOCOL/,
    () => [
      'a load balancer in front of the Proxy terminates TLS and does not know the ALPN values of Teleport',
      'the address is no Proxy',
    ],
  ],
  [/UNRECOGNIZED_NAME/, ({ host }) => [`the server knows no host ${host}: use the name that its certificate has`]],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, () => ['the server speaks no TLS 1.2 or later']],
  [
    /^(UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    () => [
      'a private authority has signed it: give its PEM',
      'the server does not send the intermediate certificate: give it the whole chain',
      OPENED,
    ],
  ],
  [
    /SELF_SIGNED/,
    () => [
      'the Proxy has the certificate that Teleport makes for itself, or one of a private authority: give its PEM',
      OPENED,
    ],
  ],
  [/^CERT_HAS_EXPIRED$/, () => ['the certificate was not renewed', CLOCK]],
  [/^CERT_NOT_YET_VALID$/, () => [CLOCK, 'the certificate was made with a wrong clock']],
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    ({ host }) => [`the certificate is of another name than ${host}: use one that stands in it`, OPENED],
  ],
  [
    /ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE|ACCESS_DENIED)/,
    () => ['the bot was locked or removed since it joined', 'the clocks of this machine and of the cluster differ'],
  ],
];

/** None for a failure that says nothing more than that it failed. */
function connectionCauses(address: Address, error: unknown): readonly string[] {
  const codes = causes(error).map(errorCode);
  const [, explain] = BY_CODE.find(([pattern]) => codes.some((code) => pattern.test(code))) ?? [];
  if (explain === undefined) return [];
  const other = OTHER_PORTS.get(address.port);
  const ofPort = other === undefined ? [] : [`port ${address.port} is usually that of ${other}; ${WEB_PORTS}`];
  return [...ofPort, ...explain(address)];
}
