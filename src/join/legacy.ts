/**
 * Joins by registration, as clients did before the join service: at the Proxy's endpoint, which all supported versions have, or
 * at the Auth Service itself.
 */
import * as z from 'zod/mini';
import { type KeyPair, publicKeyPem } from '../crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../crypto/ssh-public-key.ts';
import { splitCertificates } from '../crypto/x509.ts';
import { isTransientGrpcStatus, isTransientHttpStatus } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import type { GrpcConnection } from '../grpc/client.ts';
import { JoinService } from '../grpc/gen/teleport/legacy/authservice_pb.ts';
import { timestampFromMs } from '../grpc/protobuf-values.ts';
import { GrpcError } from '../grpc/status.ts';
import { errorText } from '../net/error-text.ts';
import type { WebApi, WebResponse } from '../net/web.ts';
import type { JoinedCertificates } from './bot-identity.ts';
import type { JoinFacts } from './facts.ts';
import { joinRefusal } from './refusal.ts';

export interface Registration {
  readonly facts: JoinFacts;
  readonly jwt: Secret;
  readonly keyPair: KeyPair;
  /** Requested expiry of the certificates, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Go's JSON form of `proto.Certs`: bytes are base64 of text. */
const Certs = z.object({
  ssh: z.base64(),
  tls: z.base64(),
  tls_ca_certs: z.optional(z.nullable(z.array(z.base64()))),
});

export const PROXY_ENDPOINT = '/v1/webapi/host/credentials';
/** Of the Auth Service, before version 18 (protocol reference 2.6). */
export const AUTH_ENDPOINT = '/v2/tokens/register';
/** Major versions of the Auth Service: the first with `RegisterUsingToken`, and the first without the endpoint. */
export const AT_AUTH = { grpcSince: 17, noEndpointSince: 18 };

/**
 * @returns undefined when the server has no such endpoint
 * @throws MachineIdError JOIN_…, RESPONSE_INVALID, or what the web API throws
 */
export async function joinLegacy(
  { web, endpoint }: { readonly web: WebApi; readonly endpoint: string },
  { facts, jwt, keyPair, expiresAtMs }: Registration,
): Promise<JoinedCertificates | undefined> {
  const body = JSON.stringify({
    hostID: '',
    node_name: '',
    role: 'Bot',
    token: facts.tokenName,
    additional_principals: null,
    dns_names: null,
    public_tls_key: base64(publicKeyPem(keyPair.publicKey)),
    public_ssh_key: base64(sshLine(keyPair)),
    remote_addr: '',
    ec2_id: null,
    id_token: jwt.reveal(),
    expires: new Date(expiresAtMs).toISOString(),
  });
  const response = await web.postJson(endpoint, body);
  if (response.status === 404 && errorText(response.body) === 'path not found') return undefined;
  if (response.status !== 200) throw refused(response, facts);
  return parseCerts(response.body);
}

function sshLine({ publicKey }: KeyPair): string {
  return `${formatAuthorizedKey(sshPublicKey(publicKey))}\n`;
}

/**
 * The same at the Auth Service, version 17 and later.
 * @returns undefined when it has no such method
 * @throws MachineIdError JOIN_…, or the error of the connection
 */
export async function joinByRegistration(
  connection: Pick<GrpcConnection, 'call'>,
  { facts, jwt, keyPair, expiresAtMs }: Registration,
  signal: AbortSignal,
): Promise<JoinedCertificates | undefined> {
  const request = {
    role: 'Bot',
    token: facts.tokenName,
    publicTlsKey: Buffer.from(publicKeyPem(keyPair.publicKey)),
    publicSshKey: Buffer.from(sshLine(keyPair)),
    idToken: jwt.reveal(),
    expires: timestampFromMs(expiresAtMs),
  };
  try {
    const { ssh, tls, tlsCaCerts } = await connection.call(JoinService.registerUsingToken, request, { signal });
    return certificates({ ssh, tls, authorities: tlsCaCerts });
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    if (error.status === 'Unimplemented') return undefined;
    const isDenied = error.status === 'PermissionDenied' || error.status === 'InvalidArgument';
    const refusal = joinRefusal(error.message, isDenied, facts, error);
    throw isTransientGrpcStatus(error.status) && refusal.code === 'JOIN_FAILED'
      ? refusal.with({ transient: {} })
      : refusal;
  }
}

/** 4xx is a refusal. Some versions respond to an invalid or foreign JWT with 500 and a known text, which is final too. */
function refused({ status, body, retryAfterMs }: WebResponse, facts: JoinFacts): MachineIdError {
  const text = errorText(body);
  const mayPass = isTransientHttpStatus(status, 'Teleport');
  const error = joinRefusal(text ?? `HTTP status ${status}`, status >= 400 && status < 500 && !mayPass, facts);
  return mayPass && error.code === 'JOIN_FAILED' ? error.with({ transient: { afterMs: retryAfterMs } }) : error;
}

function parseCerts(body: string): JoinedCertificates {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  const certs = Certs.safeParse(json);
  if (!certs.success) {
    throw invalid(
      `these fields are missing or not base64: ${certs.error.issues.map((issue) => issue.path.join('.')).join(', ')}`,
    );
  }
  const { ssh, tls, tls_ca_certs: authorities } = certs.data;
  const [sshBytes, tlsBytes] = [bytes(ssh), bytes(tls)];
  return certificates({ ssh: sshBytes, tls: tlsBytes, authorities: (authorities ?? []).map(bytes) });
}

interface CertsBytes {
  readonly ssh: Uint8Array;
  readonly tls: Uint8Array;
  /** PEM, each with one or more certificates. */
  readonly authorities: readonly Uint8Array[];
}

function certificates({ ssh, tls, authorities }: CertsBytes): JoinedCertificates {
  return {
    sshCertificate: text(ssh).trim(),
    tlsCertificate: text(tls),
    tlsAuthorities: authorities.flatMap((bundle) => splitCertificates(text(bundle))),
  };
}

function base64(value: string): string {
  return Buffer.from(value, 'utf8').toString('base64');
}

function bytes(value: string): Uint8Array {
  return Buffer.from(value, 'base64');
}

function text(value: Uint8Array): string {
  return Buffer.from(value).toString('utf8');
}

function invalid(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `the response to the join is invalid: ${detail}`, {
    hint: 'Run the job again; if the error persists, check any load balancer or HTTP proxy between this job and the cluster.',
    cause,
  });
}
