/**
 * The connection upgrade: carries a connection through a load balancer that terminates TLS and drops ALPN, by a WebSocket to
 * the Proxy, inside which the connection is routed like a direct one (protocol reference 1.4).
 */
import type { Duplex } from 'node:stream';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { withDeadline } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { answeredBy, isAboutAlpn, proxyFailure, type UpgradeNote } from '../net/failures.ts';
import { describeError } from '../net/network-error.ts';
import type { Network } from '../net/network.ts';
import type { WireConnection, WireTrace } from '../net/trace.ts';
import type { WebTrust } from '../net/trust.ts';
import { openWebSocket, WebSocketRefused } from '../net/websocket.ts';
import { API_DOMAIN } from './names.ts';

export interface UpgradeSettings {
  readonly network: Network;
  /** Of the web certificate; called only if a connection is upgraded or tested. */
  readonly trust: () => Promise<WebTrust>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly trace?: WireTrace | undefined;
  /** Called with a sentence when a test finds that an address needs the upgrade. */
  readonly onNeeded?: (message: string) => void;
}

/** What decides whether an address needs the upgrade. */
export interface UpgradeFinding {
  readonly isNeeded: boolean;
  /** `failed`: the test had another outcome than those that it looks for. `option`: an earlier run has found it. */
  readonly by: 'variable' | 'option' | 'test' | 'failed';
  /** For messages, as the rest of a sentence. */
  readonly seen: string;
}

/** Decides, once per address, whether connections need the upgrade, and opens such connections. */
export interface Upgrades {
  /** What the user, an earlier run or an earlier test has decided; undefined if nothing has. */
  readonly finding: (address: Address) => UpgradeFinding | undefined;
  /** The same as yes or no. */
  readonly known: (address: Address) => boolean | undefined;
  /**
   * Tests the address if nothing is known: one TLS handshake. Concurrent calls share the test.
   * @throws the signal's reason
   */
  readonly needed: (address: Address, signal: AbortSignal) => Promise<boolean>;
  /**
   * Another connection has had an outcome that the test looks for, so that none is needed.
   * @param seen as in a finding
   */
  readonly conclude: (address: Address, seen: string) => void;
  /**
   * Bytes that reach the Proxy's ALPN routing. The TLS handshake that a direct connection begins with comes next.
   * @throws MachineIdError UPGRADE_REFUSED, PROXY_UNREACHABLE, PROXY_UNTRUSTED; the signal's reason
   */
  readonly open: (address: Address, options: UpgradeOptions) => Promise<Duplex>;
}

export interface UpgradeOptions {
  /** Carries the deadline. */
  readonly signal: AbortSignal;
  readonly wire?: WireConnection | undefined;
}

export const UPGRADE_VARIABLE = 'TELEPORT_TLS_ROUTING_CONN_UPGRADE';

/** @param isNeeded what an earlier run has found, for commands that run once per connection */
export function openUpgrades(settings: UpgradeSettings, isNeeded = false): Upgrades {
  const forced = settings.environment[UPGRADE_VARIABLE] ?? '';
  const answers = new Map<string, UpgradeFinding>();
  const tests = new Map<string, Promise<boolean>>();
  const finding = (address: Address): UpgradeFinding | undefined => {
    if (forced !== '') {
      return { isNeeded: forcedAnswer(forced, address), by: 'variable', seen: `${UPGRADE_VARIABLE} is set` };
    }
    return answers.get(formatAddress(address)) ?? (isNeeded ? FOUND_EARLIER : undefined);
  };
  const known = (address: Address) => finding(address)?.isNeeded;
  const answer = (address: Address, found: UpgradeFinding) => {
    const name = formatAddress(address);
    answers.set(name, found);
    if (found.isNeeded) {
      settings.onNeeded?.(`a load balancer at ${name} terminates TLS: connections are upgraded to pass it`);
    }
    return found.isNeeded;
  };
  const test = async (address: Address, signal: AbortSignal) => {
    const found = await testForBalancer(address, settings, signal);
    return known(address) ?? answer(address, found);
  };
  return {
    finding,
    known,
    needed: (address, signal) => {
      const decided = known(address);
      if (decided !== undefined) return Promise.resolve(decided);
      const name = formatAddress(address);
      const running = tests.get(name) ?? test(address, signal).finally(() => tests.delete(name));
      tests.set(name, running);
      return running;
    },
    conclude: (address, seen) => {
      if (known(address) === undefined) answer(address, { isNeeded: true, by: 'test', seen });
    },
    open: (address, options) => openUpgraded(address, settings, options),
  };
}

/** For a connection that ended at something that terminates TLS; undefined if nothing was tested. */
export function upgradeNote(found: UpgradeFinding | undefined): UpgradeNote | undefined {
  if (found === undefined || found.isNeeded) return undefined;
  const { by, seen } = found;
  if (by === 'variable') {
    return {
      cause: `${UPGRADE_VARIABLE} forbids the connection upgrade, which passes a load balancer that terminates TLS`,
      hint: `Unset ${UPGRADE_VARIABLE}: then connections are upgraded where they must be.`,
    };
  }
  if (by === 'failed') {
    return {
      cause: `the test for a load balancer that terminates TLS failed (${seen}), so the connection was not upgraded`,
      hint: `If there is such a load balancer, set ${UPGRADE_VARIABLE}=true.`,
    };
  }
  return {
    cause:
      'a device intercepts only some connections, such as those with this server name: other ALPN reaches the Proxy',
    hint: '"doctor --egress" shows which connections are intercepted.',
  };
}

const FOUND_EARLIER: UpgradeFinding = { isNeeded: true, by: 'option', seen: 'an earlier run has found it' };

const YES = new Set(['true', 'yes', 'on', 'y', 't', '1']);
const NO = new Set(['false', 'no', 'off', 'n', 'f', '0']);

/**
 * Reads `true`, `false` or `address=true,other=false`, separated by `,` or `;`. The last word without an address holds for
 * all others, which do not need the upgrade by default. Ignores other words, as Teleport does.
 */
export function forcedAnswer(text: string, address: Address): boolean {
  const target = formatAddress(address);
  let answer = false;
  for (const entry of text.split(/[,;]/)) {
    const at = entry.lastIndexOf('=');
    const word = entry
      .slice(at + 1)
      .trim()
      .toLowerCase();
    const value = YES.has(word) ? true : NO.has(word) ? false : undefined;
    if (value === undefined) continue;
    if (at === -1) answer = value;
    else if (entry.slice(0, at).trim().endsWith(target)) return value;
  }
  return answer;
}

const TEST_ALPN = 'teleport-reversetunnel';
/** Of upstream's test (`api/client/alpn_conn_upgrade.go`). */
const TEST_TIMEOUT_MS = 5000;

/**
 * Exactly three outcomes mean that ALPN does not reach the Proxy: none is chosen, the alert `no_application_protocol`, and
 * a protocol that was not offered. Every other failure means that the upgrade is not needed.
 */
async function testForBalancer(
  address: Address,
  { network, trace, trust }: UpgradeSettings,
  outer: AbortSignal,
): Promise<UpgradeFinding> {
  const wire = trace?.connection('load balancer test');
  const { ca, verify } = await trust();
  try {
    const waitingFor = `the Proxy ${formatAddress(address)}`;
    const chosen = await withDeadline({ waitingFor, timeoutMs: TEST_TIMEOUT_MS, signal: outer }, async (signal) => {
      const socket = await dialTls({ address, alpn: [TEST_ALPN], ca, verify, network, signal, wire });
      socket.destroy();
      return socket.alpnProtocol;
    });
    if (chosen === TEST_ALPN) return { isNeeded: false, by: 'test', seen: "Teleport's ALPN reaches the Proxy" };
    const what =
      typeof chosen === 'string' ? `the ALPN protocol "${chosen}", which was not offered` : 'no ALPN protocol';
    return { isNeeded: true, by: 'test', seen: `the server chooses ${what}` };
  } catch (error) {
    outer.throwIfAborted();
    const seen = describeError(error);
    return isAboutAlpn(error) ? { isNeeded: true, by: 'test', seen } : { isNeeded: false, by: 'failed', seen };
  }
}

const UPGRADE_PATH = '/webapi/connectionupgrade';
/** With pings from the server every 30 seconds: load balancers close idle connections. */
const SUBPROTOCOL = 'alpn-ping';

async function openUpgraded(
  address: Address,
  { network, trust: readTrust }: UpgradeSettings,
  { signal, wire }: UpgradeOptions,
): Promise<Duplex> {
  const host = formatAddress(address);
  const trust = await readTrust();
  try {
    // No ALPN: a load balancer that chooses h2 would not accept the upgrade, which is HTTP/1.1.
    const outer = await dialTls({ address, alpn: [], ca: trust.ca, verify: trust.verify, network, signal, wire });
    try {
      return await openWebSocket(outer, { host, path: UPGRADE_PATH, subprotocol: SUBPROTOCOL, signal });
    } catch (error) {
      outer.destroy();
      throw error;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof WebSocketRefused ? upgradeRefused(host, error) : proxyFailure(address, error, trust);
  }
}

function upgradeRefused(host: string, cause: WebSocketRefused): MachineIdError {
  const { status } = cause;
  const isTransient = status !== undefined && (status === 429 || status >= 500);
  return new MachineIdError(
    'UPGRADE_REFUSED',
    `the load balancer at ${host} terminates TLS, and the upgrade of a connection through it was refused: ${cause.message}`,
    {
      hint: `Let the load balancer forward ${UPGRADE_PATH} with its headers Upgrade, Connection and Sec-WebSocket-* to the Proxy, or let it pass TLS through (layer 4).`,
      likelyCauses: [...likelyCauses(status), ...answeredBy(cause.server)],
      transient: isTransient ? {} : undefined,
      cause,
    },
  );
}

function likelyCauses(status: number | undefined): readonly string[] {
  if (status === 404) return [`the load balancer does not send ${UPGRADE_PATH} to the Proxy`];
  if (status === 400 || status === 426)
    return ['the load balancer removes the header Upgrade: WebSocket is not enabled in it'];
  if (status === 401 || status === 403)
    return ['the load balancer, or a firewall for web applications, wants a login or blocks WebSocket'];
  if (status === 502 || status === 503 || status === 504) return ['the load balancer does not reach the Proxy'];
  return ['the load balancer does not support WebSocket'];
}

/**
 * Inside an upgraded connection, the Proxy presents a certificate of its host authority, which is not known before the join.
 * The connection around it was checked with the web certificate, so this finds mistakes, not attackers (protocol
 * reference 1.4).
 */
export function isTeleportCertificate(socket: TLSSocket, nowMs: number): boolean {
  let link: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  for (let length = 0; link?.raw !== undefined && length < MAX_CHAIN_LENGTH; length += 1) {
    const { issuerCertificate: above, subjectaltname = '', valid_to: notAfter }: DetailedPeerCertificate = link;
    if (subjectaltname.split(', ').includes(`DNS:${API_DOMAIN}`) && Date.parse(notAfter) > nowMs) return true;
    // Node marks the end of a chain by a certificate that is its own issuer.
    link = above === link ? undefined : above;
  }
  return false;
}

const MAX_CHAIN_LENGTH = 10;
