/** Writes an Ed25519 private key in OpenSSH's format, which older OpenSSH versions require (PROTOCOL.key). */
import type { KeyObject } from 'node:crypto';

const NO_ENCRYPTION_BLOCK_SIZE = 8;

export function openSshPrivateKey(key: KeyObject): string {
  const { d = '', x = '' } = key.export({ format: 'jwk' });
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const publicKey = Buffer.concat([text('ssh-ed25519'), bytes(point)]);
  const check = uint32(0);
  const secret = Buffer.concat([check, check, publicKey, bytes(Buffer.concat([seed, point])), text('')]);
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    text('none'),
    text('none'),
    text(''),
    uint32(1),
    bytes(publicKey),
    bytes(padded(secret)),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');
}

/** Padded with the bytes 1, 2, 3 … to a full block. */
function padded(secret: Buffer): Buffer {
  const missing = -secret.length & (NO_ENCRYPTION_BLOCK_SIZE - 1);
  return Buffer.concat([secret, Buffer.from(Array.from({ length: missing }, (_value, at) => at + 1))]);
}

function text(value: string): Buffer {
  return bytes(Buffer.from(value));
}

function bytes(value: Buffer): Buffer {
  return Buffer.concat([uint32(value.length), value]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
