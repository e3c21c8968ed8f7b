/** Joins by the gRPC join service of newer servers. */
import { type KeyPair, publicKeyDer } from '../crypto/keys.ts';
import { formatSshCertificate } from '../crypto/ssh-certificate.ts';
import { sshPublicKey } from '../crypto/ssh-public-key.ts';
import { certificatePem } from '../crypto/x509.ts';
import { withDeadline } from '../effects/time.ts';
import { isTransientGrpcStatus } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { type GrpcConnection, grpcOver } from '../grpc/client.ts';
import {
  type JoinRequest,
  type JoinResponse,
  JoinService,
  type ServerInit,
} from '../grpc/gen/teleport/join/v1/joinservice_pb.ts';
import { timestampFromMs } from '../grpc/protobuf-values.ts';
import type { Init } from '../grpc/protobuf.ts';
import { loadHttp2 } from '../grpc/session.ts';
import { GrpcError, GrpcResponseError } from '../grpc/status.ts';
import { type Address, formatAddress } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { isAboutAlpn } from '../net/failures.ts';
import { describeError, networkFailure, oneLine } from '../net/network-error.ts';
import type { Network } from '../net/network.ts';
import type { WireConnection, WireTrace } from '../net/trace.ts';
import type { WebTrust } from '../net/trust.ts';
import { isTeleportCertificate, type Upgrades } from '../teleport/connection-upgrade.ts';
import { API_DOMAIN } from '../teleport/names.ts';
import { suiteName } from '../teleport/suite.ts';
import type { JoinedCertificates } from './bot-identity.ts';
import type { JoinFacts } from './facts.ts';
import { joinRefusal, otherMethodHint } from './refusal.ts';

export interface StreamJoin {
  readonly facts: JoinFacts;
  readonly jwt: Secret;
  /** Called once the server has reported its signature algorithm suite. */
  readonly keyFor: (suite: string) => Promise<KeyPair>;
  readonly expiresAtMs: number;
  /** Called at the first response of the service. */
  readonly onResponse: () => void;
}

export interface ServiceJoin extends StreamJoin {
  readonly address: Address;
  readonly network: Network;
  /** Set if the connection needs an upgrade. */
  readonly upgrades: Upgrades | undefined;
  /** Called when a connection without an upgrade shows that ALPN does not reach the Proxy, with what it shows. */
  readonly onAlpnLost: (seen: string) => void;
  readonly nowMs: number;
  readonly trust: WebTrust;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

export type ServiceJoinResult =
  | { readonly kind: 'joined'; readonly keyPair: KeyPair; readonly certificates: JoinedCertificates }
  | UnavailableService
  /** A function, since discovery may have found more facts for the message by then. */
  | { readonly kind: 'failed'; readonly error: (facts: JoinFacts) => MachineIdError };

/** In these cases, Teleport's own client uses the registration endpoint. */
export interface UnavailableService {
  readonly kind: 'unavailable';
  readonly reason: string;
  /** Whether it may be available later. */
  readonly isTransient: boolean;
}

export const JOIN_ALPN = ['teleport-proxy-grpc', 'h2'];
/** `GivingUp.Reason` (protocol reference 3.4). */
const UNSUPPORTED_JOIN_METHOD = 1;
const UNSUPPORTED_MESSAGE_TYPE = 2;
/** How long to wait for the server to end a join that we give up. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * At the Proxy.
 * @throws MachineIdError as `joinByStream` does; TIMEOUT. A refusal, and a reason to fall back, are results.
 */
export async function joinByService(join: ServiceJoin): Promise<ServiceJoinResult> {
  const { address, signal: outer, timeoutMs } = join;
  const wire = join.trace?.connection('join service');
  const waitingFor = `the join service of ${formatAddress(address)}`;
  const heard = { firstAnswer: false };
  const onResponse = () => {
    heard.firstAnswer = true;
    join.onResponse();
  };
  const attempt = withDeadline({ waitingFor, unreached: address, timeoutMs, signal: outer }, async (signal) => {
    let socket;
    try {
      socket = await dialService(join, signal, wire);
    } catch (error) {
      signal.throwIfAborted();
      // The registration endpoint needs the same HTTP or SOCKS proxy.
      if (error instanceof MachineIdError) throw error;
      const { detail, isTransient } = networkFailure(error);
      if (isAboutAlpn(error)) join.onAlpnLost(detail);
      return { kind: 'unavailable' as const, reason: detail, isTransient };
    }
    if (join.upgrades === undefined && typeof socket.alpnProtocol !== 'string') {
      socket.destroy();
      const reason = 'the server chooses no ALPN protocol';
      join.onAlpnLost(reason);
      return { kind: 'unavailable' as const, reason, isTransient: true };
    }
    const connection = await grpcOver(socket, address.host, wire);
    try {
      return await joinByStream({ ...join, onResponse }, connection, signal);
    } finally {
      connection.close();
    }
  });
  try {
    return await attempt;
  } catch (error) {
    if (heard.firstAnswer || !(error instanceof MachineIdError) || error.code !== 'TIMEOUT') throw error;
    return { kind: 'unavailable', reason: error.message, isTransient: true };
  }
}

async function dialService(
  { address, network, nowMs, trust, upgrades }: ServiceJoin,
  signal: AbortSignal,
  wire: WireConnection | undefined,
): ReturnType<typeof dialTls> {
  const handshake = { address, alpn: JOIN_ALPN, signal, wire, onConnect: () => void loadHttp2() };
  if (upgrades === undefined) return dialTls({ ...handshake, network, ca: trust.ca, verify: trust.verify });
  const over = await upgrades.open(address, { signal, wire });
  const socket = await dialTls({ ...handshake, over, verify: false });
  if (!trust.verify || isTeleportCertificate(socket, nowMs)) return socket;
  socket.destroy();
  throw new Error(`the certificate inside the upgraded connection is not valid now or not for ${API_DOMAIN}`);
}

type Request = Init<JoinRequest>;

/** Both directions of the stream. */
interface JoinStream {
  readonly requests: Requests;
  readonly responses: AsyncIterator<JoinResponse>;
  readonly signal: AbortSignal;
}

/**
 * One stream: who we are, the server's suite, our keys with the OIDC token, the certificates.
 * @throws MachineIdError JOIN_METHOD_MISMATCH, RESPONSE_INVALID. A refusal, and a reason to fall back, are results.
 */
export async function joinByStream(
  join: StreamJoin,
  connection: GrpcConnection,
  signal: AbortSignal,
): Promise<ServiceJoinResult> {
  const requests = new Requests();
  const responses = connection.stream(JoinService.join, requests, { signal });
  const conversation = { requests, responses, signal };
  let started = false;
  try {
    requests.push(clientInit(join.facts));
    const { joinMethod, signatureAlgorithmSuite } = await readInit(conversation);
    started = true;
    join.onResponse();
    if (joinMethod !== join.facts.joinMethod) {
      const msg = `join method ${oneLine(joinMethod)} is not supported by this client`;
      await giveUp(conversation, UNSUPPORTED_JOIN_METHOD, msg);
      throw methodMismatch(joinMethod, join.facts);
    }
    const keyPair = await join.keyFor(suiteName(signatureAlgorithmSuite));
    requests.push(oidcInit(join, keyPair));
    return { kind: 'joined', keyPair, certificates: await readResult(conversation) };
  } catch (error) {
    signal.throwIfAborted();
    return failure(error, started);
  } finally {
    requests.end();
  }
}

/** A queue of requests: each one is sent after a response of the server. */
class Requests implements AsyncIterable<Request> {
  readonly #waiting: Request[] = [];
  #isOver = false;
  #wake: () => void = () => undefined;

  push(request: Request): void {
    this.#waiting.push(request);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Request> {
    for (;;) {
      const request = this.#waiting.shift();
      if (request !== undefined) yield request;
      else if (this.#isOver) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/**
 * Sends the reason, for the cluster's log. Waits for the server's next message or for the end of the stream, since
 * closing the connection at once could lose the reason.
 */
async function giveUp({ responses, requests, signal }: JoinStream, reason: number, msg: string): Promise<void> {
  requests.push({ payload: { case: 'givingUp', value: { reason, msg } } });
  requests.end();
  const farewell = { waitingFor: 'the join service', timeoutMs: CLOSE_TIMEOUT_MS, signal };
  try {
    await withDeadline(farewell, () => responses.next());
  } catch {
    // The server ends the join with an error, as expected, or takes too long; the report is the same.
    signal.throwIfAborted();
  }
}

function clientInit({ joinMethod, tokenName }: JoinFacts): Request {
  const value = { joinMethod, tokenName, systemRole: 'Bot' };
  return { payload: { case: 'clientInit', value } };
}

function oidcInit({ expiresAtMs, jwt }: StreamJoin, { publicKey }: KeyPair): Request {
  const publicKeys = { publicTlsKey: publicKeyDer(publicKey), publicSshKey: sshPublicKey(publicKey).blob };
  const value = {
    clientParams: {
      payload: { case: 'botParams' as const, value: { publicKeys, expires: timestampFromMs(expiresAtMs) } },
    },
    idToken: Buffer.from(jwt.reveal(), 'ascii'),
  };
  return { payload: { case: 'oidcInit', value } };
}

async function readInit(conversation: JoinStream): Promise<ServerInit> {
  const { payload } = await nextResponse(conversation);
  return payload.case === 'init' ? payload.value : refuse(conversation, payload.case, '"init"');
}

async function readResult(conversation: JoinStream): Promise<JoinedCertificates> {
  const { payload } = await nextResponse(conversation);
  const result = payload.case === 'result' ? payload.value.payload : undefined;
  const certificates = result?.case === 'botResult' ? result.value.certificates : undefined;
  if (certificates === undefined) return refuse(conversation, payload.case, "the bot's certificates");
  return {
    tlsCertificate: certificatePem(certificates.tlsCert),
    tlsAuthorities: certificates.tlsCaCerts.map((der) => certificatePem(der)),
    sshCertificate: formatSshCertificate(certificates.sshCert),
  };
}

async function refuse(conversation: JoinStream, got: string | undefined, expected: string): Promise<never> {
  const what = `"${got ?? 'nothing known'}", expected ${expected}`;
  await giveUp(conversation, UNSUPPORTED_MESSAGE_TYPE, `got ${what}`);
  throw unexpected(what);
}

async function nextResponse({ responses }: JoinStream): Promise<JoinResponse> {
  const next = await responses.next();
  if (next.done === true) throw unexpected('the end of the stream');
  return next.value;
}

/**
 * After the server's first response, only "not implemented" leads to the registration endpoint. Before it, nearly every
 * failure does, but not a rate limit, which also applies there.
 */
function failure(error: unknown, started: boolean): ServiceJoinResult {
  if (error instanceof MachineIdError) throw error;
  const status = error instanceof GrpcError ? error.status : undefined;
  const reason = reasonOf(error);
  const unknownMessage = status === 'InvalidArgument' && reason.includes('unrecognized join request message');
  const denied = status === 'PermissionDenied' || status === 'InvalidArgument';
  const isTransient = status === undefined ? !(error instanceof GrpcResponseError) : isTransientGrpcStatus(status);
  const isLimited = status === 'ResourceExhausted';
  if (status === 'Unimplemented' || unknownMessage || (!started && !denied && !isLimited)) {
    return { kind: 'unavailable', reason: oneLine(reason), isTransient };
  }
  return {
    kind: 'failed',
    error: (facts) => {
      const failed = joinRefusal(reason, denied, facts, error);
      return isTransient && failed.code === 'JOIN_FAILED' ? failed.with({ transient: {} }) : failed;
    },
  };
}

/** The server's text unchanged, since refusals are recognized by it. */
function reasonOf(error: unknown): string {
  return error instanceof GrpcError ? error.message : describeError(error);
}

function methodMismatch(joinMethod: string, facts: JoinFacts): MachineIdError {
  return new MachineIdError(
    'JOIN_METHOD_MISMATCH',
    `join token "${facts.tokenName}" is for the join method ${JSON.stringify(oneLine(joinMethod))}, expected "${facts.joinMethod}"`,
    { hint: otherMethodHint(joinMethod, facts) },
  );
}

function unexpected(got: string): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `unexpected response from the join service: ${got}`, {
    hint: 'Run the job again; if the error persists, report it with the version of the cluster.',
  });
}
