/** Why a connection fails, by the code of the failure and the address, most likely first. */
import type { Address } from './address.ts';
import { causes, errorCode } from './network-error.ts';

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
export function connectionCauses(address: Address, error: unknown): readonly string[] {
  const codes = causes(error).map(errorCode);
  const [, explain] = BY_CODE.find(([pattern]) => codes.some((code) => pattern.test(code))) ?? [];
  if (explain === undefined) return [];
  const other = OTHER_PORTS.get(address.port);
  const ofPort = other === undefined ? [] : [`port ${address.port} is usually that of ${other}; ${WEB_PORTS}`];
  return [...ofPort, ...explain(address)];
}
