/** Converts SSH public keys between wire form (RFC 4253 section 6.6, RFC 5656, RFC 8709), authorized_keys text and Node's keys. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { malformed, quoted, sshPositiveInteger, SshReader, sshString } from './ssh-wire.ts';

export interface SshPublicKey {
  /** For example `ssh-rsa`. */
  readonly type: string;
  /** The wire form, which starts with the type. */
  readonly blob: Uint8Array;
}

/** SSH names of the supported curves, with their JWK name and coordinate size. */
const CURVES: ReadonlyMap<string, { readonly crv: string; readonly bytes: number }> = new Map([
  ['nistp256', { crv: 'P-256', bytes: 32 }],
  ['nistp384', { crv: 'P-384', bytes: 48 }],
  ['nistp521', { crv: 'P-521', bytes: 66 }],
]);

const UNCOMPRESSED_POINT = 4;
const WHAT = 'the SSH public key';

/** @throws MachineIdError RESPONSE_INVALID for an unsupported kind of key */
export function sshPublicKey(publicKey: KeyObject): SshPublicKey {
  const jwk = publicKey.export({ format: 'jwk' });
  if (jwk.kty === 'RSA') {
    return key('ssh-rsa', [sshPositiveInteger(coordinate(jwk.e)), sshPositiveInteger(coordinate(jwk.n))]);
  }
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return key('ssh-ed25519', [sshString(coordinate(jwk.x))]);
  const curve = [...CURVES].find(([, { crv }]) => crv === jwk.crv)?.[0];
  if (curve === undefined)
    throw malformed(WHAT, `keys of type ${String(jwk.kty)} ${String(jwk.crv)} are not supported`);
  const point = Buffer.concat([Buffer.of(UNCOMPRESSED_POINT), coordinate(jwk.x), coordinate(jwk.y)]);
  return key(`ecdsa-sha2-${curve}`, [sshString(curve), sshString(point)]);
}

function key(type: string, fields: readonly Uint8Array[]): SshPublicKey {
  return { type, blob: Buffer.concat([sshString(type), ...fields]) };
}

function coordinate(base64url: string | undefined): Buffer {
  return Buffer.from(base64url ?? '', 'base64url');
}

/** @throws MachineIdError RESPONSE_INVALID */
export function toKeyObject({ type, blob }: SshPublicKey): KeyObject {
  const reader = new SshReader(blob, WHAT);
  if (reader.text() !== type) throw malformed(WHAT, `its type is not ${type}`);
  const publicKey = readKeyFields(reader, type);
  reader.end();
  return publicKey;
}

/**
 * Reads the fields of a key after its type, as in a certificate too.
 * @throws MachineIdError RESPONSE_INVALID
 */
export function readKeyFields(reader: SshReader, type: string): KeyObject {
  const jwk = readJwk(reader, type);
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch (cause) {
    throw malformed(WHAT, `it is not a valid ${type} key`, cause);
  }
}

function readJwk(reader: SshReader, type: string): JsonWebKey {
  const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
  if (type === 'ssh-rsa') {
    const e = base64url(reader.positiveInteger());
    return { kty: 'RSA', e, n: base64url(reader.positiveInteger()) };
  }
  if (type === 'ssh-ed25519') return { kty: 'OKP', crv: 'Ed25519', x: base64url(reader.bytes()) };
  const name = type.replace(/^ecdsa-sha2-/, '');
  const curve = CURVES.get(name);
  if (curve === undefined || type === name) throw malformed(WHAT, `the type ${quoted(type)} is not supported`);
  const named = reader.text();
  const point = reader.bytes();
  if (named !== name || point.length !== 1 + 2 * curve.bytes || point[0] !== UNCOMPRESSED_POINT) {
    throw malformed(WHAT, `it is not a point on ${name}`);
  }
  const x = base64url(point.subarray(1, 1 + curve.bytes));
  return { kty: 'EC', crv: curve.crv, x, y: base64url(point.subarray(1 + curve.bytes)) };
}

/** @throws MachineIdError RESPONSE_INVALID if the key cannot be read */
export function parseSshPublicKey(blob: Uint8Array): SshPublicKey {
  const parsed = { type: new SshReader(blob, WHAT).text(), blob };
  toKeyObject(parsed);
  return parsed;
}

/** `<type> <base64>`, without a newline. */
export function formatAuthorizedKey({ type, blob }: SshPublicKey): string {
  return `${type} ${Buffer.from(blob).toString('base64')}`;
}

/**
 * Reads `<type> <base64>` with or without a comment. Options before the type are rejected: a cluster sends none.
 * @throws MachineIdError RESPONSE_INVALID
 */
export function parseAuthorizedKey(line: string): SshPublicKey {
  const { type, blob } = splitKeyLine(line, WHAT);
  const parsed = parseSshPublicKey(blob);
  if (parsed.type !== type)
    throw malformed(WHAT, `the line has the type ${quoted(type)}, but the bytes have ${parsed.type}`);
  return parsed;
}

/**
 * Reads the type and the key from a line in authorized_keys form.
 * @throws MachineIdError RESPONSE_INVALID
 */
export function splitKeyLine(line: string, what: string): SshPublicKey {
  const match = /^([a-z0-9@.-]{1,64}) ([A-Za-z0-9+/]+={0,2})(?:[ \t][^\r\n]*)?$/.exec(line);
  const [, type = '', base64 = ''] = match ?? [];
  const blob = Buffer.from(base64, 'base64');
  // Node ignores invalid base64; comparing with the encoding again accepts only the canonical spelling.
  if (match === null || blob.toString('base64') !== base64) {
    throw malformed(what, 'it is not one line with a type and base64');
  }
  return { type, blob };
}
