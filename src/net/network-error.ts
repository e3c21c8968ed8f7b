/** Classifies a failed connection: what went wrong, in one line of plain English, and whether a retry may succeed. */
import { printable } from '../errors.ts';

/** What went wrong below HTTP and gRPC. */
export interface NetworkFailure {
  /**
   * `name`: the host name does not resolve; `unreachable`: no connection, or a broken one; `untrusted`: the server's
   * certificate is not trusted; `wrong-protocol`: the server does not speak the expected protocol; `refused-by-peer`: the
   * server does not accept our certificate.
   */
  readonly kind: 'name' | 'unreachable' | 'untrusted' | 'wrong-protocol' | 'refused-by-peer';
  /** One line that ends with Node's error code. */
  readonly detail: string;
  /** Whether the same attempt may succeed later. */
  readonly isTransient: boolean;
}

const NAME = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME']);

/** OpenSSL's verification results (X509_V_ERR_… without the prefix), as Node gives them in `code`. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
]);

const REFUSED_BY_PEER = /ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE|ACCESS_DENIED|HANDSHAKE_FAILURE)/;
/** A dropped connection, corrupted bytes, or an internal error of the server. */
const TRANSIENT_TLS = /^ERR_SSL_(UNEXPECTED_EOF_WHILE_READING|.*BAD_RECORD_MAC|.*ALERT_INTERNAL_ERROR)$/;
/** TLS that cannot be negotiated, or a response that is not HTTP. A truncated HTTP header is transient instead. */
const WRONG_PROTOCOL = /^(ERR_SSL_|ERR_OSSL_|EPROTO$|HPE_(?!INVALID_EOF_STATE))/;

/** Texts for codes whose own text is short, cryptic or full of OpenSSL's file names; the first match counts. */
const PLAIN_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'the connection was refused'],
  [/^ECONNRESET$/, 'the connection was reset'],
  [/^(EPIPE|ECONNABORTED)$/, 'the peer closed the connection'],
  [/^ERR_STREAM_PREMATURE_CLOSE$/, 'the connection was closed before the end of the response'],
  [/^ETIMEDOUT$/, 'the connection timed out'],
  [/^(EHOSTUNREACH|EHOSTDOWN)$/, 'there is no route to the host'],
  [/^ENETUNREACH$/, 'there is no route to the network'],
  [/^(ENOTFOUND|EAI_NONAME|EAI_NODATA)$/, 'the name does not exist'],
  [/^(EAI_AGAIN|EAI_FAIL)$/, 'the DNS server did not respond'],
  [/WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE/, 'the server does not speak TLS'],
  [/UNEXPECTED_EOF_WHILE_READING/, 'the connection was closed without ending TLS'],
  [/NO_APPLICATION_PROTOCOL/, "the server accepts none of Teleport's ALPN protocols"],
  [/BAD_EXTENSION/, 'the server chose an ALPN protocol that was not offered, or sent another invalid TLS extension'],
  [/UNRECOGNIZED_NAME/, 'the server does not serve this host name'],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'the server does not support TLS 1.2 or later'],
  [/ALERT_CERTIFICATE_REQUIRED/, 'the server requires a client certificate'],
  [/BAD_RECORD_MAC/, 'TLS data was corrupted in transit'],
  [/ALERT_INTERNAL_ERROR/, 'the server reports an internal error'],
  [/^HPE_INVALID_EOF_STATE$/, 'the connection was closed before the end of the response'],
  [/^HPE_/, 'the server does not speak HTTP'],
];

/** Classifies by the first known code of the error and its causes. */
export function networkFailure(error: unknown): NetworkFailure {
  const chain = causes(error);
  for (const link of chain) {
    const code = errorCode(link);
    const detail = describeError(link);
    if (NAME.has(code)) return { kind: 'name', detail, isTransient: code === 'EAI_AGAIN' };
    if (UNTRUSTED.has(code)) return { kind: 'untrusted', detail, isTransient: false };
    if (REFUSED_BY_PEER.test(code)) return { kind: 'refused-by-peer', detail, isTransient: false };
    if (TRANSIENT_TLS.test(code)) return { kind: 'unreachable', detail, isTransient: true };
    if (WRONG_PROTOCOL.test(code)) return { kind: 'wrong-protocol', detail, isTransient: false };
  }
  return { kind: 'unreachable', detail: describeError(chain.at(-1) ?? error), isTransient: true };
}

/** The error and its causes, outermost first; at most eight. */
export function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let link = error;
  while (link instanceof Error && chain.length < 8) {
    chain.push(link);
    link = link instanceof AggregateError && link.cause === undefined ? link.errors[0] : link.cause;
  }
  return chain;
}

export function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** An error from Node or OpenSSL in one line of plain English, with its code if it has one. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  const code = errorCode(error);
  const message = oneLine(
    error.message.replace(/^(request to \S+ failed, reason|Invalid response body .*?\S+): ?/s, ''),
  );
  const text =
    handshakeText(message) ?? prohibitedText(message) ?? knownText(code, message) ?? opensslReason(message) ?? message;
  if (text === '') return code === '' ? error.name : code;
  return code === '' || text.includes(code) ? text : `${text} (${code})`;
}

/** For two errors that share the code ECONNRESET. */
function handshakeText(message: string): string | undefined {
  if (message.startsWith('Client network socket disconnected'))
    return 'the connection was closed during the TLS handshake';
  return message === 'socket hang up' ? 'the connection was closed before a response arrived' : undefined;
}

/** connect(2) fails at once by a route or a packet filter of the machine itself; files have the same codes. */
function prohibitedText(message: string): string | undefined {
  const [, address] = /^connect (?:EACCES|EPERM|EINVAL) (\S+)/.exec(message) ?? [];
  return address === undefined ? undefined : `${address}: a route or firewall of this machine prohibits the connection`;
}

/** Node names the address or host after its system call: `connect ECONNREFUSED 192.0.2.1:443`. */
function knownText(code: string, message: string): string | undefined {
  const [, text] = PLAIN_TEXTS.find(([pattern]) => pattern.test(code)) ?? [];
  const [, subject] = /^(?:connect|getaddrinfo) [A-Z_]+ (\S+)/.exec(message) ?? [];
  return text === undefined || subject === undefined ? text : `${subject}: ${text}`;
}

/** OpenSSL writes `80AC2D53247F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../record.c:350:`. */
function opensslReason(message: string): string | undefined {
  const [, reason = ''] = /\berror:[0-9A-F]{6,16}:[^:]*:[^:]*:([^:]*)/i.exec(message) ?? [];
  return reason.trim() === '' ? undefined : `TLS failed: ${reason.trim()}`;
}

const MAX_TEXT_CHARACTERS = 500;

/** Makes a server's text safe for a log line: no control characters, at most 500 characters. */
export function oneLine(text: string): string {
  const flat = printable(text).trim();
  return flat.length > MAX_TEXT_CHARACTERS ? `${flat.slice(0, MAX_TEXT_CHARACTERS)}…` : flat;
}
