/** Joins by the Proxy's registration endpoint, which all supported versions have. */
import * as z from 'zod/mini';
import { type KeyPair, publicKeyPem } from '../crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../crypto/ssh-public-key.ts';
import { splitCertificates } from '../crypto/x509.ts';
import { isTransientHttpStatus } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { errorText } from '../net/error-text.ts';
import type { WebApi, WebResponse } from '../net/web.ts';
import type { JoinedCertificates } from './bot-identity.ts';
import type { JoinFacts } from './facts.ts';
import { joinRefusal } from './refusal.ts';

export interface LegacyJoin {
  readonly web: WebApi;
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

/**
 * @returns undefined when the Proxy has no such endpoint
 * @throws MachineIdError JOIN_…, RESPONSE_INVALID, or what the web API throws
 */
export async function joinLegacy(join: LegacyJoin): Promise<JoinedCertificates | undefined> {
  const { web, facts, jwt, keyPair, expiresAtMs } = join;
  const sshLine = `${formatAuthorizedKey(sshPublicKey(keyPair.publicKey))}\n`;
  const body = JSON.stringify({
    hostID: '',
    node_name: '',
    role: 'Bot',
    token: facts.tokenName,
    additional_principals: null,
    dns_names: null,
    public_tls_key: base64(publicKeyPem(keyPair.publicKey)),
    public_ssh_key: base64(sshLine),
    remote_addr: '',
    ec2_id: null,
    id_token: jwt.reveal(),
    expires: new Date(expiresAtMs).toISOString(),
  });
  const response = await web.postJson('/v1/webapi/host/credentials', body);
  if (response.status === 404 && errorText(response.body) === 'path not found') return undefined;
  if (response.status !== 200) throw refused(response, facts);
  return parseCerts(response.body);
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
  return {
    sshCertificate: text(ssh).trim(),
    tlsCertificate: text(tls),
    tlsAuthorities: (authorities ?? []).flatMap((bundle) => splitCertificates(text(bundle))),
  };
}

function base64(value: string): string {
  return Buffer.from(value, 'utf8').toString('base64');
}

function text(value: string): string {
  return Buffer.from(value, 'base64').toString('utf8');
}

function invalid(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `the Proxy's response to the join is invalid: ${detail}`, {
    hint: 'Run the job again; if the error persists, check any load balancer or HTTP proxy between this job and the Proxy.',
    cause,
  });
}
