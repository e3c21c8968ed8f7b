/** A client of the reverse tunnel for the cluster's own tests: SSH with a certificate, then one channel to Auth. */
import { createPrivateKey } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { ByteReader } from '../crypto/byte-reader.ts';
import { readSshCertificate, type SshCertificate } from '../crypto/ssh-certificate.ts';
import { CHANNEL, MAX_DATA_BYTES, SshChannel, WINDOW_BYTES } from './ssh-channel.ts';
import {
  decodeKexInit,
  deriveKeys,
  encodeKexInit,
  ephemeralKey,
  exchangeHash,
  MESSAGE,
  readEcdh,
} from './ssh-key-exchange.ts';
import { SshPackets } from './ssh-packets.ts';
import { sshString, uint32 } from '../crypto/ssh-public-key.ts';
import { defaultAlgorithm, signSsh, verifySsh } from '../crypto/ssh-signature.ts';

const IDENTIFICATION = 'SSH-2.0-Raw';
const HOST_KEYS = ['ecdsa-sha2-nistp256', 'rsa-sha2-512'].map((name) => `${name}-cert-v01@openssh.com`);
const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com';

export interface TunnelLogin {
  readonly user: string;
  /** In wire form. */
  readonly certificate: Buffer;
  /** PEM. */
  readonly key: string;
}

export interface DialWish {
  readonly channelType?: string;
  /** The payload of the request. */
  readonly payload?: string;
}

/** What the host presented, after its signature was verified. */
export interface TunnelHost {
  readonly identification: string;
  readonly certificate: SshCertificate;
}

export class RawTunnel {
  readonly host: TunnelHost;
  readonly #packets: SshPackets;
  readonly #channels: SshChannel[] = [];

  private constructor(packets: SshPackets, host: TunnelHost) {
    this.#packets = packets;
    this.host = host;
  }

  /** @throws Error if the server rejects the client */
  static async open(stream: Duplex, login: TunnelLogin): Promise<RawTunnel> {
    const packets = new SshPackets(stream);
    const identification = await packets.exchangeIdentification(IDENTIFICATION);
    const { certificate, sessionId } = await exchangeKeys(packets, identification);
    await authenticate(packets, sessionId, login);
    return new RawTunnel(packets, { identification, certificate });
  }

  /** A channel to the target in the request. @throws Error with the server's reason */
  async dial({ channelType = 'teleport-transport', payload }: DialWish = {}): Promise<Duplex> {
    const id = this.#channels.length;
    const numbers = [id, WINDOW_BYTES, MAX_DATA_BYTES].map(uint32);
    await this.#packets.write(Buffer.concat([Buffer.from([90]), sshString(channelType), ...numbers]));
    const channel = await this.#opened();
    this.#channels.push(channel);
    const address = payload ?? JSON.stringify({ address: '@remote-auth-server', conn_type: 'node' });
    const request = [uint32(id), sshString('teleport-transport-dial'), Buffer.from([1]), Buffer.from(address)];
    await this.#packets.write(Buffer.concat([Buffer.from([CHANNEL.request]), ...request]));
    if ((await this.#packets.read())[0] !== CHANNEL.success) {
      throw new Error('the request was refused');
    }
    this.#serve().catch(() => {
      this.close();
    });
    return channel;
  }

  /** Whether the server responds to an unknown request with a failure. */
  async ping(): Promise<boolean> {
    await this.#packets.write(Buffer.concat([Buffer.from([80]), sshString('keepalive@openssh.com'), Buffer.from([1])]));
    return (await this.#packets.read())[0] === 82;
  }

  close(): void {
    for (const channel of this.#channels) {
      channel.destroy();
    }
    this.#packets.destroy();
  }

  async #opened(): Promise<SshChannel> {
    const reader = new ByteReader(await this.#packets.read());
    const opened = reader.uint(1) === 91;
    reader.take(4);
    if (!opened) {
      reader.take(4);
      throw new Error(reader.vector(4).toString('utf8'));
    }
    const [remoteId, remoteWindow, remoteMaxBytes] = [reader.uint(4), reader.uint(4), reader.uint(4)];
    return new SshChannel((payload) => this.#packets.write(payload), { remoteId, remoteWindow, remoteMaxBytes });
  }

  async #serve(): Promise<void> {
    for (;;) {
      const reader = new ByteReader(await this.#packets.read());
      const type = reader.uint(1);
      const channel = this.#channels[reader.uint(4)];
      if (type === CHANNEL.data) channel?.receive(reader.vector(4));
      else if (type === CHANNEL.windowAdjust) channel?.adjust(reader.uint(4));
      else if (type === CHANNEL.eof) channel?.receiveEnd();
      else if (type === CHANNEL.close) channel?.receiveClose();
    }
  }
}

async function exchangeKeys(
  packets: SshPackets,
  server: string,
): Promise<{ readonly sessionId: Buffer; readonly certificate: SshCertificate }> {
  const clientInit = encodeKexInit(HOST_KEYS, ['ext-info-c', 'kex-strict-c-v00@openssh.com']);
  await packets.write(clientInit);
  const serverInit = await packets.read();
  const own = ephemeralKey('curve25519-sha256');
  await packets.write(Buffer.concat([Buffer.from([MESSAGE.ecdhInit]), sshString(own.publicBytes)]));
  const reply = readEcdh(await packets.read(), MESSAGE.ecdhReply);
  const [hostKey, serverPublic, signature] = [reader4(reply), reader4(reply), reader4(reply)];
  const names = { client: IDENTIFICATION, server };
  const secret = own.share(serverPublic);
  const exchange = { names, clientInit, serverInit, hostKey, clientPublic: own.publicBytes, serverPublic };
  const hash = exchangeHash(exchange, secret);
  const certificate = readSshCertificate(hostKey);
  if (!verifySsh(hash, certificate.publicKey, signature, defaultAlgorithm(certificate.publicKey))) {
    throw new Error('the signature of the host does not hold');
  }
  const keys = deriveKeys(decodeKexInit(clientInit), { secret, hash, sessionId: hash });
  await packets.write(Buffer.from([MESSAGE.newKeys]));
  packets.encipher(keys.toServer);
  if ((await packets.read())[0] !== MESSAGE.newKeys) {
    throw new Error('no NEWKEYS from the host');
  }
  packets.decipher(keys.toClient, true);
  return { sessionId: hash, certificate };
}

function reader4(reader: ByteReader): Buffer {
  return reader.vector(4);
}

async function authenticate(packets: SshPackets, sessionId: Buffer, login: TunnelLogin): Promise<void> {
  const key = createPrivateKey(login.key);
  const signature = defaultAlgorithm(key);
  const body = Buffer.concat([
    Buffer.from([50]),
    ...[login.user, 'ssh-connection', 'publickey'].map(sshString),
    Buffer.from([1]),
    sshString(`${signature}${CERTIFICATE_SUFFIX}`),
    sshString(login.certificate),
  ]);
  await packets.write(Buffer.concat([Buffer.from([5]), sshString('ssh-userauth')]));
  const signed = signSsh(Buffer.concat([sshString(sessionId), body]), key, signature);
  await packets.write(Buffer.concat([body, sshString(signed)]));
  for (;;) {
    const type = (await packets.read())[0];
    if (type === 52) return;
    if (type === 51 || type === 1) throw new Error('the host does not admit the client');
  }
}
