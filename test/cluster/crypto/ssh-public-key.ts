/** SSH public keys in the wire format of RFC 4253 section 6.6, RFC 5656 section 3.1 and RFC 8709 section 4. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { ByteReader } from './byte-reader.ts';

const UNCOMPRESSED_POINT = 4;
const RsaJwk = z.object({ kty: z.literal('RSA'), n: z.string(), e: z.string() });
const EcJwk = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() });
const OkpJwk = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() });
const SupportedJwk = z.discriminatedUnion('kty', [RsaJwk, EcJwk, OkpJwk]);

export function sshString(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A positive integer: no leading zero bytes, except one if the sign bit would be set (RFC 4251 section 5). */
export function mpint(magnitude: Buffer): Buffer {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? Buffer.alloc(0) : magnitude.subarray(start);
  return sshString((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), digits]) : digits);
}

/** Cached: an authority's key goes into every certificate that it signs, and Node is slow to export a key. */
const ENCODED = new WeakMap<KeyObject, Buffer>();

/** From a public key, or from the public part of a private one. */
export function encodeSshPublicKey(key: KeyObject): Buffer {
  const encoded = ENCODED.get(key) ?? encode(key);
  ENCODED.set(key, encoded);
  return encoded;
}

function encode(key: KeyObject): Buffer {
  const jwk = SupportedJwk.parse(key.export({ format: 'jwk' }));
  const field = (value: string): Buffer => Buffer.from(value, 'base64url');
  switch (jwk.kty) {
    case 'RSA':
      return Buffer.concat([sshString('ssh-rsa'), mpint(field(jwk.e)), mpint(field(jwk.n))]);
    case 'EC': {
      const point = Buffer.concat([Buffer.from([UNCOMPRESSED_POINT]), field(jwk.x), field(jwk.y)]);
      return Buffer.concat([sshString('ecdsa-sha2-nistp256'), sshString('nistp256'), sshString(point)]);
    }
    case 'OKP':
      return Buffer.concat([sshString('ssh-ed25519'), sshString(field(jwk.x))]);
  }
}

/** @throws RangeError or a crypto error for bytes that are not a key of a known type */
export function decodeSshPublicKey(wire: Buffer): KeyObject {
  const reader = new ByteReader(wire);
  const key = createPublicKey({ key: readJwk(reader), format: 'jwk' });
  if (reader.remaining > 0) {
    throw new RangeError('bytes after the key');
  }
  return key;
}

function readJwk(reader: ByteReader): JsonWebKey {
  const type = reader.vector(4).toString('utf8');
  switch (type) {
    case 'ssh-rsa':
      return { kty: 'RSA', e: readInteger(reader), n: readInteger(reader) };
    case 'ecdsa-sha2-nistp256':
      reader.vector(4);
      return readPoint(reader.vector(4));
    case 'ssh-ed25519':
      return { kty: 'OKP', crv: 'Ed25519', x: reader.vector(4).toString('base64url') };
    default:
      throw new RangeError(`unknown key type ${type}`);
  }
}

function readInteger(reader: ByteReader): string {
  const bytes = reader.vector(4);
  return (bytes[0] === 0 ? bytes.subarray(1) : bytes).toString('base64url');
}

function readPoint(point: Buffer): JsonWebKey {
  if (point.length !== 65 || point[0] !== UNCOMPRESSED_POINT) {
    throw new RangeError('not an uncompressed point of P-256');
  }
  const coordinate = (start: number): string => point.subarray(start, start + 32).toString('base64url');
  return { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) };
}

/** The line `<type> <base64>` for wire bytes, which contain their type. */
export function toAuthorizedKey(wire: Buffer): string {
  const type = new ByteReader(wire).vector(4).toString('utf8');
  return `${type} ${wire.toString('base64')}\n`;
}

export function parseAuthorizedKey(text: string): Buffer {
  const [type, base64] = text.trim().split(' ');
  const wire = Buffer.from(base64 ?? '', 'base64');
  if (new ByteReader(wire).vector(4).toString('utf8') !== type) {
    throw new RangeError('the line and the key in it name different types');
  }
  return wire;
}
