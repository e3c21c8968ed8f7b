/** Joins by the gRPC join service, which newer servers have for this method. */
import { isPassingGrpcStatus } from '../effects/retry.ts';
import { withDeadline } from '../effects/deadline.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { type KeyPair, publicKeyDer } from '../crypto/keys.ts';
import { formatSshCertificate } from '../crypto/ssh-certificate.ts';
import { sshPublicKey } from '../crypto/ssh-public-key.ts';
import { certificatePem } from '../crypto/x509.ts';
import { type Address, formatAddress } from '../teleport/address.ts';
import { dialTls } from '../teleport/dial.ts';
import {
  type JoinRequest,
  type JoinResponse,
  JoinService,
  type ServerInit,
} from '../teleport/gen/teleport/join/v1/joinservice_pb.ts';
import { networkFault, plainText } from '../teleport/network-error.ts';
import { type GrpcConnection, grpcOver } from '../teleport/grpc.ts';
import { GrpcError, GrpcReplyError } from '../teleport/grpc-error.ts';
import type { Init } from '../teleport/protobuf.ts';
import { timestampFromMs } from '../teleport/protobuf-time.ts';
import { suiteName } from '../teleport/suite.ts';
import { oneLine } from '../teleport/trace-error.ts';
import type { WebTrust } from '../teleport/trust.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';
import type { JoinedCertificates } from './bot-identity.ts';
import type { JoinFacts } from './join-facts.ts';
import { joinRefusal } from './refusal.ts';

export interface ServiceJoin {
  readonly address: Address;
  readonly trust: WebTrust;
  readonly facts: JoinFacts;
  readonly jwt: Secret;
  /** Makes the key once the server has named its signature algorithm suite. */
  readonly keyFor: (suite: string) => Promise<KeyPair>;
  readonly expiresAtMs: number;
  readonly timeoutMs: number;
  /** Called when the service has given its first answer. */
  readonly onAnswer: () => void;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

export type ServiceJoinResult =
  | { readonly kind: 'joined'; readonly keyPair: KeyPair; readonly certificates: JoinedCertificates }
  | UnavailableService
  /** The error says more when more is known of the cluster by then. */
  | { readonly kind: 'failed'; readonly error: (facts: JoinFacts) => MachineIdError };

/** Where Teleport's own client turns to the legacy endpoint. */
export interface UnavailableService {
  readonly kind: 'unavailable';
  readonly reason: string;
  /** Whether it may be there later. */
  readonly mayPass: boolean;
}

export const JOIN_ALPN = ['teleport-proxy-grpc', 'h2'];
const JOIN_METHOD = 'circleci';
const REASON_UNSUPPORTED_JOIN_METHOD = 1;

/**
 * One stream: who we are, the server's suite, our keys with the OIDC token, the certificates.
 * @throws MachineIdError JOIN_METHOD_MISMATCH, REPLY_INVALID, TIMEOUT; a refusal, and what lets Teleport's client fall back, are results
 */
export async function joinByService(join: ServiceJoin): Promise<ServiceJoinResult> {
  const { address, signal: outer, timeoutMs } = join;
  const wire = join.trace?.connection('join service');
  const waitingFor = `the join service of ${formatAddress(address)}`;
  const heard = { firstAnswer: false };
  const onAnswer = () => {
    heard.firstAnswer = true;
    join.onAnswer();
  };
  const attempt = withDeadline({ waitingFor, timeoutMs, signal: outer }, async (signal) => {
    let socket;
    try {
      socket = await dialTls({ address, alpn: JOIN_ALPN, ca: join.trust.ca, verify: join.trust.verify, signal, wire });
    } catch (error) {
      signal.throwIfAborted();
      const { detail, mayPass } = networkFault(error);
      return { kind: 'unavailable' as const, reason: detail, mayPass };
    }
    const connection = grpcOver(socket, address.host, wire);
    try {
      return await converse({ ...join, onAnswer }, connection, signal);
    } finally {
      connection.close();
    }
  });
  try {
    return await attempt;
  } catch (error) {
    if (heard.firstAnswer || !(error instanceof MachineIdError) || error.code !== 'TIMEOUT') throw error;
    return { kind: 'unavailable', reason: error.message, mayPass: true };
  }
}

type Request = Init<JoinRequest>;

async function converse(
  join: ServiceJoin,
  connection: GrpcConnection,
  signal: AbortSignal,
): Promise<ServiceJoinResult> {
  const second = secondRequest();
  const answers = connection.stream(JoinService.join, requests(join.facts.tokenName, second.promise), { signal });
  let started = false;
  try {
    const { joinMethod, signatureAlgorithmSuite } = await readInit(answers);
    started = true;
    join.onAnswer();
    if (joinMethod !== JOIN_METHOD) {
      second.resolve(givingUp(joinMethod));
      throw methodMismatch(joinMethod, join.facts);
    }
    const keyPair = await join.keyFor(suiteName(signatureAlgorithmSuite));
    second.resolve(oidcInit(join, keyPair));
    return { kind: 'joined', keyPair, certificates: await readResult(answers) };
  } catch (error) {
    signal.throwIfAborted();
    return failure(error, started);
  } finally {
    second.resolve(undefined);
  }
}

/** The second request waits for the server's first answer; undefined ends the stream without it. */
function secondRequest() {
  let resolve: (request: Request | undefined) => void = () => undefined;
  const promise = new Promise<Request | undefined>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function* requests(tokenName: string, second: Promise<Request | undefined>): AsyncGenerator<Request> {
  const value = { joinMethod: JOIN_METHOD, tokenName, systemRole: 'Bot' };
  yield { payload: { case: 'clientInit', value } };
  const request = await second;
  if (request !== undefined) yield request;
}

function oidcInit({ expiresAtMs, jwt }: ServiceJoin, { publicKey }: KeyPair): Request {
  const publicKeys = { publicTlsKey: publicKeyDer(publicKey), publicSshKey: sshPublicKey(publicKey).blob };
  const value = {
    clientParams: {
      payload: { case: 'botParams' as const, value: { publicKeys, expires: timestampFromMs(expiresAtMs) } },
    },
    idToken: Buffer.from(jwt.reveal(), 'ascii'),
  };
  return { payload: { case: 'oidcInit', value } };
}

function givingUp(joinMethod: string): Request {
  const msg = `join method ${joinMethod} is not supported by this client`;
  const value = { reason: REASON_UNSUPPORTED_JOIN_METHOD, msg };
  return { payload: { case: 'givingUp', value } };
}

type Answers = AsyncIterator<JoinResponse>;

async function readInit(answers: Answers): Promise<ServerInit> {
  const { payload } = await nextAnswer(answers);
  if (payload.case !== 'init') throw unexpected(`"${payload.case ?? 'nothing known'}", expected "init"`);
  return payload.value;
}

async function readResult(answers: Answers): Promise<JoinedCertificates> {
  const { payload } = await nextAnswer(answers);
  const result = payload.case === 'result' ? payload.value.payload : undefined;
  const certificates = result?.case === 'botResult' ? result.value.certificates : undefined;
  if (certificates === undefined)
    throw unexpected(`"${payload.case ?? 'nothing known'}", expected the bot's certificates`);
  return {
    tlsCertificate: certificatePem(certificates.tlsCert),
    tlsAuthorities: certificates.tlsCaCerts.map((der) => certificatePem(der)),
    sshCertificate: formatSshCertificate(certificates.sshCert),
  };
}

async function nextAnswer(answers: Answers): Promise<JoinResponse> {
  const next = await answers.next();
  if (next.done === true) throw unexpected('the end of the stream');
  return next.value;
}

/**
 * After the server's first answer only "not implemented" leads to the legacy endpoint; before it nearly everything does,
 * but not a limit on requests, which holds there too.
 */
function failure(error: unknown, started: boolean): ServiceJoinResult {
  if (error instanceof MachineIdError) throw error;
  const status = error instanceof GrpcError ? error.status : undefined;
  const reason = reasonOf(error);
  const unknownMessage = status === 'InvalidArgument' && reason.includes('unrecognized join request message');
  const denied = status === 'PermissionDenied' || status === 'InvalidArgument';
  const mayPass = status === undefined ? !(error instanceof GrpcReplyError) : isPassingGrpcStatus(status);
  const isLimited = status === 'ResourceExhausted';
  if (status === 'Unimplemented' || unknownMessage || (!started && !denied && !isLimited)) {
    return { kind: 'unavailable', reason: oneLine(reason), mayPass };
  }
  return {
    kind: 'failed',
    error: (facts) => {
      const failed = joinRefusal(reason, denied, facts, error);
      return mayPass && failed.code === 'JOIN_FAILED' ? failed.with({ passing: {} }) : failed;
    },
  };
}

/** A server's own words as they are, since a refusal is known by them. */
function reasonOf(error: unknown): string {
  return error instanceof GrpcError ? error.message : plainText(error);
}

function methodMismatch(joinMethod: string, { tokenName }: JoinFacts): MachineIdError {
  return new MachineIdError(
    'JOIN_METHOD_MISMATCH',
    `join token "${tokenName}" is for the join method ${JSON.stringify(oneLine(joinMethod))}, expected "${JOIN_METHOD}"`,
    { hint: 'Set spec.join_method: circleci in that token, or name another token.' },
  );
}

function unexpected(got: string): MachineIdError {
  return new MachineIdError('REPLY_INVALID', `the join service answered with ${got}`, {
    hint: 'Run the job again; if it stays, report the version of the cluster: its join service differs from the known ones.',
  });
}
