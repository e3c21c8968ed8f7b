/** Requests what a bot needs from Auth, for the cluster's own tests. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { authRoute, CertsAnswer, type TlsIdentity } from './raw-bot.ts';
import { RawClient } from '../proxy/raw-client.ts';
import type { Cluster } from '../cluster.ts';
import { encodeSshPublicKey, toAuthorizedKey } from '../crypto/ssh-public-key.ts';

const AUTH_SERVICE = 'proto.AuthService';
const HOUR_SECONDS = 3600;

/** One call on a separate connection; `bot` can be without a certificate. */
export async function callAuth(
  cluster: Cluster,
  bot: TlsIdentity,
  method: string,
  request: object,
  options: { readonly service?: string; readonly metadata?: Record<string, string> } = {},
): Promise<object> {
  const client = await RawClient.open(authRoute(cluster, bot));
  try {
    return await client.unary(options.service ?? AUTH_SERVICE, method, request, options.metadata);
  } finally {
    await client.close();
  }
}

export function inSeconds(seconds: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(Date.now() / 1000) + seconds, nanos: 0 };
}

/** The request for an hour of `access`, with a key for each certificate. */
export function accessRequest(privateKey: KeyObject): Record<string, unknown> {
  const publicKey = createPublicKey(privateKey);
  return {
    username: 'bot-ci',
    expires: inSeconds(HOUR_SECONDS),
    role_requests: ['access'],
    use_role_requests: true,
    ssh_public_key: Buffer.from(sshLine(publicKey)),
    tls_public_key: Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
  };
}

export function sshLine(publicKey: KeyObject): string {
  return toAuthorizedKey(encodeSshPublicKey(publicKey));
}

export async function generateUserCerts(
  cluster: Cluster,
  bot: TlsIdentity,
  request: object,
): Promise<ReturnType<typeof CertsAnswer.parse>> {
  return CertsAnswer.parse(await callAuth(cluster, bot, 'GenerateUserCerts', request));
}
