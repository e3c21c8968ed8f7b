/** The key exchange of SSH (RFC 4253 section 7, RFC 5656, RFC 8731), with strict key exchange. */
import {
  createECDH,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { ByteReader } from '../crypto/byte-reader.ts';
import { mpint, sshString, uint32 } from '../crypto/ssh-public-key.ts';
import type { DirectionKeys, SshPackets } from './ssh-packets.ts';
import { signSsh, type SignatureAlgorithm } from '../crypto/ssh-signature.ts';

export const MESSAGE = { kexInit: 20, newKeys: 21, ecdhInit: 30, ecdhReply: 31 } as const;

const CURVE25519 = 'curve25519-sha256';
/** The algorithms that Go's client, OpenSSH and FIPS builds share. */
const KEY_EXCHANGES: readonly string[] = [CURVE25519, 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256'];
const CIPHERS = { 'aes128-gcm@openssh.com': 'aes-128-gcm', 'aes256-gcm@openssh.com': 'aes-256-gcm' } as const;
const STRICT_SERVER = 'kex-strict-s-v00@openssh.com';
const STRICT_CLIENT = 'kex-strict-c-v00@openssh.com';
const EXTENSIONS_CLIENT = 'ext-info-c';
const X25519_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** The key that a host signs with; the bytes are its public key or certificate. */
export interface HostKey {
  readonly algorithm: string;
  readonly signature: SignatureAlgorithm;
  readonly wire: Buffer;
  readonly privateKey: KeyObject;
}

export interface Identifications {
  readonly client: string;
  readonly server: string;
}

export interface Agreed {
  /** The session id, which is that of the connection's first exchange. */
  readonly sessionId: Buffer;
  readonly strict: boolean;
  /** Whether the client supports SSH_MSG_EXT_INFO (RFC 8308). */
  readonly readsExtensions: boolean;
}

export interface KexInit {
  readonly keyExchanges: readonly string[];
  readonly hostKeys: readonly string[];
  readonly ciphersToServer: readonly string[];
  readonly ciphersToClient: readonly string[];
  readonly firstPacketFollows: boolean;
}

/** @param extra names that are not algorithms, such as `ext-info-c` */
export function encodeKexInit(hostKeyAlgorithms: readonly string[], extra: readonly string[]): Buffer {
  const ciphers = nameList(Object.keys(CIPHERS));
  // AES-GCM includes authentication, but the list of MACs must not be empty
  const macs = nameList(['hmac-sha2-256']);
  const none = nameList(['none']);
  return Buffer.concat([
    Buffer.from([MESSAGE.kexInit]),
    randomBytes(16),
    nameList([...KEY_EXCHANGES, ...extra]),
    nameList(hostKeyAlgorithms),
    ciphers,
    ciphers,
    macs,
    macs,
    none,
    none,
    nameList([]),
    nameList([]),
    Buffer.from([0]),
    uint32(0),
  ]);
}

export function decodeKexInit(payload: Buffer): KexInit {
  const reader = new ByteReader(payload);
  if (reader.uint(1) !== MESSAGE.kexInit) {
    throw new RangeError('not a KEXINIT message');
  }
  reader.take(16);
  const lists = Array.from({ length: 10 }, () => reader.vector(4).toString('utf8').split(','));
  const [keyExchanges = [], hostKeys = [], ciphersToServer = [], ciphersToClient = []] = lists;
  return { keyExchanges, hostKeys, ciphersToServer, ciphersToClient, firstPacketFollows: reader.uint(1) !== 0 };
}

/** @param earlier result of the previous exchange on this connection, if any */
export async function serveKeyExchange(
  packets: SshPackets,
  names: Identifications,
  hostKeys: readonly HostKey[],
  started: { readonly clientInit: Buffer; readonly earlier: Agreed | undefined },
): Promise<Agreed> {
  const { clientInit, earlier } = started;
  const offered = decodeKexInit(clientInit);
  const serverInit = encodeKexInit(
    hostKeys.map(({ algorithm }) => algorithm),
    earlier === undefined ? [STRICT_SERVER] : [],
  );
  await packets.write(serverInit);
  const method = firstCommon('key exchange', offered.keyExchanges, KEY_EXCHANGES);
  const name = firstCommon(
    'host key',
    offered.hostKeys,
    hostKeys.map(({ algorithm }) => algorithm),
  );
  const hostKey = hostKeys.find(({ algorithm }) => algorithm === name);
  if (hostKey === undefined) {
    throw new Error(`no host key for ${name}`);
  }
  if (offered.firstPacketFollows && (offered.keyExchanges[0] !== method || offered.hostKeys[0] !== name)) {
    await packets.read(); // a wrong guess (RFC 4253 section 7)
  }
  const clientPublic = readEcdh(await packets.read(), MESSAGE.ecdhInit).vector(4);
  const { ownPublic, secret } = agree(method, clientPublic);
  const exchange = { names, clientInit, serverInit, hostKey: hostKey.wire, clientPublic, serverPublic: ownPublic };
  const hash = exchangeHash(exchange, secret);
  const signature = signSsh(hash, hostKey.privateKey, hostKey.signature);
  await packets.write(
    Buffer.concat([
      Buffer.from([MESSAGE.ecdhReply]),
      ...[hostKey.wire, ownPublic, signature].map((part) => sshString(part)),
    ]),
  );
  const agreed = earlier ?? {
    sessionId: hash,
    strict: offered.keyExchanges.includes(STRICT_CLIENT),
    readsExtensions: offered.keyExchanges.includes(EXTENSIONS_CLIENT),
  };
  await switchKeys(packets, deriveKeys(offered, { secret, hash, sessionId: agreed.sessionId }), agreed.strict);
  return agreed;
}

async function switchKeys(
  packets: SshPackets,
  keys: { readonly toServer: DirectionKeys; readonly toClient: DirectionKeys },
  strict: boolean,
): Promise<void> {
  await packets.write(Buffer.from([MESSAGE.newKeys]));
  packets.encipher(keys.toClient);
  const answer = await packets.read();
  if (answer[0] !== MESSAGE.newKeys) {
    throw new RangeError(`message ${String(answer[0])} instead of NEWKEYS`);
  }
  packets.decipher(keys.toServer, strict);
}

/** The first algorithm of the client that the server supports. */
export function firstCommon(what: string, offered: readonly string[], known: readonly string[]): string {
  const found = offered.find((name) => known.includes(name));
  if (found === undefined) {
    throw new Error(`no common ${what}: the client offers ${offered.join(', ')}`);
  }
  return found;
}

/** A fresh key of ours, and the secret that it shares with the peer's (RFC 8731 section 3, RFC 5656 section 4). */
export function agree(method: string, peerPublic: Buffer): { readonly ownPublic: Buffer; readonly secret: Buffer } {
  const own = ephemeralKey(method);
  return { ownPublic: own.publicBytes, secret: own.share(peerPublic) };
}

export interface EphemeralKey {
  readonly publicBytes: Buffer;
  readonly share: (peerPublic: Buffer) => Buffer;
}

export function ephemeralKey(method: string): EphemeralKey {
  if (method === 'ecdh-sha2-nistp256') {
    const ecdh = createECDH('prime256v1');
    return { publicBytes: ecdh.generateKeys(), share: (peerPublic) => ecdh.computeSecret(peerPublic) };
  }
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return {
    publicBytes: publicKey.export({ type: 'spki', format: 'der' }).subarray(X25519_PREFIX.length),
    share: (peerPublic) => diffieHellman({ privateKey, publicKey: x25519Key(peerPublic) }),
  };
}

function x25519Key(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([X25519_PREFIX, bytes]), type: 'spki', format: 'der' });
}

export interface Exchange {
  readonly names: Identifications;
  readonly clientInit: Buffer;
  readonly serverInit: Buffer;
  readonly hostKey: Buffer;
  readonly clientPublic: Buffer;
  readonly serverPublic: Buffer;
}

/** All three methods use SHA-256. */
export function exchangeHash(exchange: Exchange, secret: Buffer): Buffer {
  const { client, server } = exchange.names;
  const parts = [
    client,
    server,
    exchange.clientInit,
    exchange.serverInit,
    exchange.hostKey,
    exchange.clientPublic,
    exchange.serverPublic,
  ];
  return createHash('sha256')
    .update(Buffer.concat([...parts.map((part) => sshString(part)), mpint(secret)]))
    .digest();
}

/** RFC 4253 section 7.2: A and B are the first nonces, C and D the keys. */
export function deriveKeys(
  offered: KexInit,
  { hash, secret, sessionId }: { readonly secret: Buffer; readonly hash: Buffer; readonly sessionId: Buffer },
): { readonly toServer: DirectionKeys; readonly toClient: DirectionKeys } {
  const derive = (letter: string, length: number): Buffer =>
    createHash('sha256')
      .update(Buffer.concat([mpint(secret), hash, Buffer.from(letter), sessionId]))
      .digest()
      .subarray(0, length);
  const direction = (ciphers: readonly string[], ivLetter: string, keyLetter: string): DirectionKeys => {
    const cipher = cipherOf(firstCommon('cipher', ciphers, Object.keys(CIPHERS)));
    return { cipher, iv: derive(ivLetter, 12), key: derive(keyLetter, cipher === 'aes-128-gcm' ? 16 : 32) };
  };
  return {
    toServer: direction(offered.ciphersToServer, 'A', 'C'),
    toClient: direction(offered.ciphersToClient, 'B', 'D'),
  };
}

function cipherOf(name: string): DirectionKeys['cipher'] {
  return name === 'aes128-gcm@openssh.com' ? CIPHERS['aes128-gcm@openssh.com'] : CIPHERS['aes256-gcm@openssh.com'];
}

export function readEcdh(payload: Buffer, expected: number): ByteReader {
  const reader = new ByteReader(payload);
  const type = reader.uint(1);
  if (type !== expected) {
    throw new RangeError(`message ${type} instead of ${expected} during the key exchange`);
  }
  return reader;
}

export function nameList(names: readonly string[]): Buffer {
  return sshString(names.join(','));
}
