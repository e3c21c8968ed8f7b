/** Joins the cluster as a bot using only public libraries, for the cluster's own tests. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { z } from 'zod';
import { createKey, keyPem } from '../crypto/keys.ts';
import { RawClient } from '../proxy/raw-client.ts';
import type { Cluster } from '../cluster.ts';
import { encodeSshPublicKey, toAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { certificatePem } from '../crypto/x509.ts';

const Bytes = z.instanceof(Buffer);

export const JoinAnswer = z.object({
  result: z.object({
    bot_result: z.object({
      certificates: z.object({
        tls_cert: Bytes,
        tls_ca_certs: z.array(Bytes),
        ssh_cert: Bytes,
        ssh_ca_keys: z.array(Bytes),
      }),
    }),
  }),
});

export const CertsAnswer = z.object({
  ssh: Bytes,
  tls: Bytes,
  tls_ca_certs: z.array(Bytes),
  ssh_ca_certs: z.array(Bytes),
});

/** A bot's certificate and key, and the authority behind Auth's certificate, all PEM. */
export interface RawBot {
  readonly cert: string;
  readonly key: string;
  /** Only the host authority: OpenSSL would send a known user authority after the certificate. */
  readonly ca: string;
  readonly userAuthority: string;
  /** Every certificate of an authority that came with the join, those of the host authority first. */
  readonly authorities: readonly string[];
}

/** The credentials of a client; without a certificate, it is anonymous. */
export type TlsIdentity = Partial<Pick<RawBot, 'cert' | 'key'>> & { readonly ca?: string | string[] };

export interface JoinWish {
  readonly token?: string;
  readonly idToken?: string;
  readonly key?: KeyObject;
  /** `circleci` by default. */
  readonly method?: string;
}

export function webAddress(cluster: Cluster): { host: string; port: number; servername: string; ca: Buffer } {
  const port = Number(cluster.info.proxy.split(':')[1]);
  return { host: '127.0.0.1', port, servername: 'localhost', ca: readFileSync(cluster.info.webCa) };
}

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Of a port that `cluster.info` names, such as `info.auth`; its certificate is of the authority `ca`. */
export function hostAddress(address: string, ca: TlsIdentity['ca']): ConnectionOptions & HostAndPort {
  const at = address.lastIndexOf(':');
  const name = address.slice(0, at).replace(/^\[|\]$/g, '');
  const host = name === 'localhost' ? '127.0.0.1' : name;
  return { host, port: Number(address.slice(at + 1)), servername: 'teleport.cluster.local', ca };
}

/** The connection options of the raw route to Auth through the Proxy. */
export function authRoute(cluster: Cluster, bot: TlsIdentity): ConnectionOptions {
  const label = Buffer.from(cluster.info.cluster).toString('hex');
  return {
    ...webAddress(cluster),
    ...bot,
    servername: 'teleport.cluster.local',
    ALPNProtocols: [`teleport-auth@${label}.teleport.cluster.local`, 'h2'],
  };
}

export function joinRoute(cluster: Cluster): ConnectionOptions {
  return { ...webAddress(cluster), ALPNProtocols: ['teleport-proxy-grpc', 'h2'] };
}

/** The two messages of a join with the join service. */
export async function joinMessages(cluster: Cluster, wish: JoinWish & { key: KeyObject }): Promise<object[]> {
  const publicKey = createPublicKey(wish.key);
  return [
    {
      client_init: {
        join_method: wish.method ?? 'circleci',
        token_name: wish.token ?? cluster.info.joinToken,
        system_role: 'Bot',
      },
    },
    {
      oidc_init: {
        id_token: Buffer.from(wish.idToken ?? (await cluster.mint())),
        client_params: {
          bot_params: {
            public_keys: {
              public_tls_key: publicKey.export({ type: 'spki', format: 'der' }),
              public_ssh_key: encodeSshPublicKey(publicKey),
            },
          },
        },
      },
    },
  ];
}

export async function joinByService(
  cluster: Cluster,
  wish: JoinWish = {},
  route: ConnectionOptions = joinRoute(cluster),
): Promise<RawBot> {
  const key = wish.key ?? (await createKey('ec'));
  const client = await RawClient.open(route);
  try {
    const messages = await joinMessages(cluster, { ...wish, key });
    const answers = await client.converse('teleport.join.v1.JoinService', 'Join', messages);
    const { certificates } = JoinAnswer.parse(answers[1]).result.bot_result;
    return toBot(key, certificatePem(certificates.tls_cert), certificates.tls_ca_certs.map(certificatePem));
  } finally {
    await client.close();
  }
}

function toBot(key: KeyObject, cert: string, authorities: readonly string[]): RawBot {
  const [ca = '', userAuthority = ''] = authorities;
  return { cert, key: keyPem(key), ca, userAuthority, authorities };
}

/** The body of a legacy join. */
export async function legacyBody(cluster: Cluster, wish: JoinWish & { key: KeyObject }): Promise<object> {
  const publicKey = createPublicKey(wish.key);
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    role: 'Bot',
    token: wish.token ?? cluster.info.joinToken,
    id_token: wish.idToken ?? (await cluster.mint()),
    public_tls_key: base64(publicKey.export({ type: 'spki', format: 'pem' }).toString()),
    public_ssh_key: base64(toAuthorizedKey(encodeSshPublicKey(publicKey))),
  };
}

const LegacyAnswer = z.object({
  ssh: z.string(),
  tls: z.string(),
  tls_ca_certs: z.array(z.string()),
  ssh_ca_certs: z.array(z.string()),
});

export async function joinLegacy(
  cluster: Cluster,
  wish: JoinWish = {},
  post: (body: object) => Promise<WebReply> = (body) => postJoin(cluster, body),
): Promise<RawBot> {
  const key = wish.key ?? (await createKey('rsa'));
  const reply = await post(await legacyBody(cluster, { ...wish, key }));
  const answer = LegacyAnswer.parse(JSON.parse(reply.body));
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString();
  return toBot(key, text(answer.tls), answer.tls_ca_certs.map(text));
}

export interface WebReply {
  readonly status: number;
  readonly body: string;
}

/** @param headers may replace the content type */
export function postJoin(cluster: Cluster, body: object, headers: Record<string, string> = {}): Promise<WebReply> {
  return requestWeb(cluster, 'POST', '/v1/webapi/host/credentials', {
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

interface WebContent {
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

export function requestWeb(
  cluster: Cluster,
  method: string,
  path: string,
  content: WebContent = {},
): Promise<WebReply> {
  return requestAt(webAddress(cluster), method, path, content);
}

export function requestAt(
  address: ConnectionOptions & HostAndPort,
  method: string,
  path: string,
  content: WebContent = {},
): Promise<WebReply> {
  return new Promise((resolve, reject) => {
    const options = { ...address, method, path, agent: false, headers: content.headers ?? {} };
    const call = request(options, (response) => {
      let body = '';
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (body += chunk))
        .on('end', () => {
          resolve({ status: response.statusCode ?? 0, body });
        })
        .on('error', reject);
    });
    call.on('error', reject).end(content.body);
  });
}
