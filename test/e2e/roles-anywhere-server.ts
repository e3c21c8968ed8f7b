/**
 * Stands in for IAM Roles Anywhere: verifies certificate, time and signature of each request with its own
 * implementation of AWS's documentation.
 */
import { createHash, verify, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { TestContext } from 'node:test';
import { z } from 'zod';
import { selfSigned } from '../tls-certificate.ts';

export interface Anchor {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  /** PEM of the authority of its trust anchor. */
  readonly authorityPem: string;
  readonly region: string;
  /** How far its clock is ahead of the job's. */
  readonly aheadMs?: number;
  /** In the URL and the certificate; it listens on 127.0.0.1. */
  readonly host?: string;
  /** How many requests it rejects as busy before it processes one. */
  readonly busyAnswers?: number;
}

export interface RolesAnywhereServer {
  /** `https://localhost:port` */
  readonly url: string;
  /** PEM. */
  readonly certificate: string;
  /** The query parameters, by name. */
  readonly sessions: Session[];
  /** All requests, including refused ones. */
  readonly userAgents: (string | undefined)[];
}

interface Session {
  readonly durationSeconds: number;
  readonly spiffeId: string;
  /** Sets the expected certificate from now on. */
  readonly minutesLeft: number;
}

export const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
export const SESSION_TOKEN = `IQoJb3JpZ2luX2VjE${'T0ken'.repeat(40)}==`;

class Refusal extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

const SKEW_MS = 5 * 60 * 1000;

export async function startRolesAnywhere(t: Pick<TestContext, 'after'>, anchor: Anchor): Promise<RolesAnywhereServer> {
  const { host = 'localhost' } = anchor;
  const { certificate, key } = await selfSigned(host);
  const sessions: RolesAnywhereServer['sessions'] = [];
  const userAgents: RolesAnywhereServer['userAgents'] = [];
  let busy = anchor.busyAnswers ?? 0;
  const server = createServer({ cert: certificate, key }, (request, response) => {
    userAgents.push(request.headers['user-agent']);
    const isBusy = busy > 0;
    busy -= 1;
    const answered = isBusy
      ? Promise.reject(new Refusal(503, 'ServiceUnavailableException', 'try later'))
      : answer(request, anchor, sessions);
    answered.then(
      (body) => response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error: unknown) => {
        const { message, status, type } =
          error instanceof Refusal ? error : new Refusal(500, 'InternalServerException', String(error));
        response
          .setHeader('date', new Date(Date.now() + (anchor.aheadMs ?? 0)).toUTCString())
          .writeHead(status, { 'x-amzn-errortype': `${type}:http://internal.amazon.com/` })
          .end(JSON.stringify({ message }));
      },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server listens on no port');
  return { url: `https://${host}:${String(address.port)}`, certificate, sessions, userAgents };
}

const Body = z.strictObject({ durationSeconds: z.int() });

async function answer(
  request: IncomingMessage,
  anchor: Anchor,
  sessions: RolesAnywhereServer['sessions'],
): Promise<object> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const url = new URL(request.url ?? '', 'https://localhost');
  if (request.method !== 'POST' || url.pathname !== '/sessions')
    throw new Refusal(404, 'UnknownOperationException', 'no such operation');
  const certificate = checkCertificate(request, anchor);
  checkSignature(request, body, certificate, anchor);
  for (const name of ['trustAnchorArn', 'profileArn', 'roleArn'] as const) {
    if (url.searchParams.get(name) !== anchor[name]) {
      throw new Refusal(
        403,
        'AccessDeniedException',
        `Unable to assume role for ${url.searchParams.get('roleArn') ?? ''}`,
      );
    }
  }
  const { durationSeconds } = Body.parse(JSON.parse(body));
  if (durationSeconds < 900 || durationSeconds > 43_200) {
    throw new Refusal(400, 'ValidationException', 'durationSeconds must be between 900 and 43200');
  }
  const [, spiffeId = ''] = /URI:(\S+)/.exec(certificate.subjectAltName ?? '') ?? [];
  const minutesLeft = Math.round((Date.parse(certificate.validTo) - Date.now()) / 60_000);
  sessions.push({ durationSeconds, spiffeId, minutesLeft });
  const expiration = `${new Date(Date.now() + durationSeconds * 1000).toISOString().slice(0, 19)}Z`;
  const credentials = {
    accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
    secretAccessKey: SECRET_KEY,
    sessionToken: SESSION_TOKEN,
    expiration,
  };
  return { credentialSet: [{ credentials, roleArn: anchor.roleArn, packedPolicySize: 0 }], subjectArn: 'arn:aws:x' };
}

function checkCertificate(request: IncomingMessage, { authorityPem }: Anchor): X509Certificate {
  const certificate = new X509Certificate(Buffer.from(header(request, 'x-amz-x509'), 'base64'));
  const now = Date.now();
  if (!certificate.verify(new X509Certificate(authorityPem).publicKey)) {
    throw new Refusal(403, 'AccessDeniedException', 'Untrusted certificate. Insufficient certificate');
  }
  if (Date.parse(certificate.validTo) < now || Date.parse(certificate.validFrom) > now) {
    throw new Refusal(403, 'AccessDeniedException', 'Untrusted certificate. Certificate expired');
  }
  return certificate;
}

function checkSignature(
  request: IncomingMessage,
  body: string,
  certificate: X509Certificate,
  { aheadMs = 0, region }: Anchor,
): void {
  const form =
    /^(AWS4-X509-(RSA|ECDSA)-SHA256) Credential=(\d+)\/(\d{8})\/([a-z0-9-]+)\/rolesanywhere\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]+)$/;
  const [, algorithm = '', kind, serial = '', day = '', named = '', signedNames = '', signature = ''] =
    form.exec(header(request, 'authorization')) ?? [];
  const date = header(request, 'x-amz-date');
  const atMs = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  const names = signedNames.split(';');
  const amazon = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'));
  const needed = ['content-type', 'host', 'x-amz-date', 'x-amz-x509', ...amazon];
  const isRsa = certificate.publicKey.asymmetricKeyType === 'rsa';
  const fits =
    kind === (isRsa ? 'RSA' : 'ECDSA') &&
    BigInt(serial === '' ? 0 : serial) === BigInt(`0x${certificate.serialNumber}`) &&
    date.startsWith(day) &&
    named === region &&
    needed.every((name) => names.includes(name)) &&
    [...names].sort().join(';') === signedNames;
  if (!fits) throw new Refusal(403, 'AccessDeniedException', 'Invalid authorization header');
  if (!(Math.abs(Date.now() + aheadMs - atMs) < SKEW_MS))
    throw new Refusal(403, 'AccessDeniedException', 'Signature expired');
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const canonical = `POST\n${path}\n${canonicalQuery(query)}\n${names.map((name) => `${name}:${header(request, name).trim()}\n`).join('')}\n${signedNames}\n${hash(body)}`;
  const text = `${algorithm}\n${date}\n${day}/${region}/rolesanywhere/aws4_request\n${hash(canonical)}`;
  if (!verify('sha256', Buffer.from(text), certificate.publicKey, Buffer.from(signature, 'hex'))) {
    throw new Refusal(403, 'AccessDeniedException', 'The request signature does not match');
  }
}

/** Encodes every byte except RFC 3986's unreserved characters as %XX, whatever its original form. */
function canonicalQuery(query: string): string {
  const encoded = (text: string) =>
    [...Buffer.from(decodeURIComponent(text))]
      .map((byte) => String.fromCharCode(byte))
      .map((character) => (/[\w.~-]/.test(character) ? character : `%${hex(character)}`))
      .join('');
  return query
    .split('&')
    .map((pair) => pair.split('=').map(encoded).join('='))
    .sort()
    .join('&');
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
}

function header({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
