/**
 * `/webapi/connectionupgrade`: a connection inside HTTPS, for clients behind a load balancer that terminates TLS. The
 * inner connection is routed like one to the Proxy itself (Teleport's `lib/web/conn_upgrade.go`).
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Transform, type Duplex, type TransformCallback } from 'node:stream';
import type { Profile } from '../data/profiles.ts';
import { badParameter, TeleportError } from '../data/teleport-errors.ts';
import { legacyFraming, webSocketFraming, type Framing } from './upgrade-framing.ts';

export const UPGRADE_PATH = '/webapi/connectionupgrade';

const PING_INTERVAL_MS = 30_000;
const TELEPORT_HEADER = 'x-teleport-upgrade';
const SUBPROTOCOLS: readonly string[] = ['alpn', 'alpn-ping'];
/** RFC 6455 section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** The older form was removed from servers after v18. */
const FIRST_MAJOR_WITHOUT_LEGACY = 19;

export interface UpgradeTarget {
  readonly profile: Profile;
  /** The port on 127.0.0.1 to which upgraded connections are routed. */
  readonly innerPort: number;
  /** 30 seconds by default. */
  readonly pingIntervalMs: number | undefined;
}

/**
 * Responds to an upgrade request and passes its connection on.
 * @param fields of the request's record, filled in here
 * @throws TeleportError for a request without a form that the version supports
 */
export function upgradeConnection(
  request: IncomingMessage,
  outer: Duplex,
  head: Buffer,
  { fields, target }: { readonly target: UpgradeTarget; readonly fields: Record<string, unknown> },
): void {
  const type = selectType(request, target.profile);
  fields.upgrade = type;
  if (type !== 'websocket') {
    outer.write(switchingProtocols([`Upgrade: ${type}`, `X-Teleport-Upgrade: ${type}`, 'Connection: Upgrade']));
    carry(outer, head, legacyFraming(type === 'alpn-ping'), target);
    return;
  }
  const protocol = subprotocolOf(request);
  fields.protocol = protocol;
  const accepted = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${acceptKey(request)}`];
  if (protocol === undefined) {
    outer.end(switchingProtocols(accepted));
    return;
  }
  outer.write(switchingProtocols([...accepted, `Sec-WebSocket-Protocol: ${protocol}`]));
  const complete = target.profile.major >= FIRST_MAJOR_WITHOUT_LEGACY;
  const framing = webSocketFraming({ pings: protocol === 'alpn-ping', complete }, (frame) => outer.write(frame));
  carry(outer, head, framing, target);
}

/** WebSocket if it is requested; each header line is one type, as in Go. */
function selectType(request: IncomingMessage, { major }: Profile): 'websocket' | 'alpn' | 'alpn-ping' {
  const withoutLegacy = major >= FIRST_MAJOR_WITHOUT_LEGACY;
  const asked = [...(withoutLegacy ? [] : valuesOf(request, TELEPORT_HEADER)), ...valuesOf(request, 'upgrade')];
  if (asked.includes('websocket')) {
    return 'websocket';
  }
  const legacy = (['alpn-ping', 'alpn'] as const).find((type) => asked.includes(type));
  if (legacy === undefined || withoutLegacy) {
    throw new TeleportError('NotFound', `unsupported upgrade types: [${asked.join(' ')}]`);
  }
  return legacy;
}

function valuesOf(request: IncomingMessage, name: string): string[] {
  const { rawHeaders } = request;
  return rawHeaders.filter((_value, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

/** Undefined if the list contains no known one. */
function subprotocolOf(request: IncomingMessage): string | undefined {
  const offered = valuesOf(request, 'sec-websocket-protocol').flatMap((line) =>
    line.split(',').map((one) => one.trim()),
  );
  return offered.find((one) => SUBPROTOCOLS.includes(one));
}

/** @throws TeleportError for an invalid RFC 6455 handshake */
function acceptKey({ headers }: IncomingMessage): string {
  const key = headers['sec-websocket-key'] ?? '';
  if (headers['sec-websocket-version'] !== '13' || Buffer.from(key, 'base64').length !== 16) {
    throw badParameter('Bad Request');
  }
  return createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
}

function switchingProtocols(headers: readonly string[]): string {
  return ['HTTP/1.1 101 Switching Protocols', ...headers, '', ''].join('\r\n');
}

/** The inner connection is a separate socket, so that every connection handler can serve it. */
function carry(outer: Duplex, head: Buffer, framing: Framing, target: UpgradeTarget): void {
  const inner = connect({ port: target.innerPort, host: '127.0.0.1', noDelay: true });
  const { farewell, ping } = framing;
  const pings = ping && setInterval(() => outer.write(ping), target.pingIntervalMs ?? PING_INTERVAL_MS).unref();
  const close = (): void => {
    clearInterval(pings);
    inner.destroy();
    outer.destroy();
  };
  for (const stream of [outer, inner, framing.decode]) {
    stream.on('error', close);
  }
  outer.on('close', close);
  inner.on('close', () => {
    clearInterval(pings);
    outer.end(farewell);
  });
  if (head.length > 0) {
    outer.unshift(head);
  }
  outer.pipe(framing.decode).pipe(inner).pipe(encoder(framing)).pipe(outer, { end: false });
}

function encoder({ encode }: Framing): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding: string, done: TransformCallback) => {
      done(null, encode(chunk));
    },
  });
}
