/**
 * Signs a request with the key of an X.509 certificate, as IAM Roles Anywhere requires: Signature Version 4, except for
 * keys, the algorithm's name and the headers that carry the certificate ("The IAM Roles Anywhere authentication signing
 * process" in AWS's documentation).
 */
import { sign, X509Certificate } from 'node:crypto';
import type { KeyPair } from '../crypto/keys.ts';
import { sha256Hex } from '../crypto/digest.ts';

export interface SignableRequest {
  /** The query is part of what is signed; its parts must be sorted by name. */
  readonly url: URL;
  readonly body: string;
  readonly region: string;
  readonly keyPair: KeyPair;
  /** DER of the certificate of that key. */
  readonly certificate: Uint8Array;
  /** DER of the authorities between it and the trust anchor. */
  readonly chain: readonly Uint8Array[];
  readonly nowMs: number;
}

const SERVICE = 'rolesanywhere';

/** The headers to send, including the signature, by their names in lower case. */
export function signedHeaders(request: SignableRequest): Readonly<Record<string, string>> {
  const { body, certificate, chain, keyPair, nowMs, region, url } = request;
  const date = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    host: url.host,
    'x-amz-date': date,
    'x-amz-x509': base64(certificate),
    ...(chain.length === 0 ? {} : { 'x-amz-x509-chain': chain.map(base64).join(',') }),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    'POST',
    url.pathname,
    url.search.slice(1),
    ...names.map((name) => `${name}:${headers[name] ?? ''}`),
    '',
    names.join(';'),
    sha256Hex(body),
  ].join('\n');
  const algorithm = `AWS4-X509-${keyPair.algorithm === 'rsa-2048' ? 'RSA' : 'ECDSA'}-SHA256`;
  const scope = `${date.slice(0, 8)}/${region}/${SERVICE}/aws4_request`;
  const text = [algorithm, date, scope, sha256Hex(canonical)].join('\n');
  const signature = sign('sha256', Buffer.from(text), keyPair.privateKey).toString('hex');
  const credential = `${serialNumber(certificate)}/${scope}`;
  const authorization = `${algorithm} Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { ...headers, authorization };
}

/** Decimal. */
function serialNumber(certificate: Uint8Array): string {
  return BigInt(`0x${new X509Certificate(certificate).serialNumber}`).toString();
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
