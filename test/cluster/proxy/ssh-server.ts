/** An SSH server for clients with a certificate: authentication (RFC 4252) and channels (RFC 4254). */
import type { Duplex } from 'node:stream';
import { ByteReader } from '../crypto/byte-reader.ts';
import { CHANNEL, MAX_DATA_BYTES, SshChannel, WINDOW_BYTES } from './ssh-channel.ts';
import { MESSAGE, nameList, serveKeyExchange, type Agreed, type HostKey } from './ssh-key-exchange.ts';
import { readSshCertificate, type SshCertificate } from '../crypto/ssh-certificate.ts';
import { PeerLeft, SshPackets } from './ssh-packets.ts';
import { sshString, uint32 } from '../crypto/ssh-public-key.ts';
import { verifySsh, type SignatureAlgorithm } from '../crypto/ssh-signature.ts';

const TRANSPORT = { disconnect: 1, unimplemented: 3, debug: 4, serviceRequest: 5, serviceAccept: 6, extInfo: 7 };
const USERAUTH = { request: 50, failure: 51, success: 52, keyAccepted: 60 };
const CONNECTION = { globalRequest: 80, requestFailure: 82, open: 90, opened: 91, openFailed: 92 };
const NO_MORE_AUTH_METHODS = 14;
const PROTOCOL_ERROR = 2;
const CONNECT_FAILED = 2;
const MAX_ATTEMPTS = 6;
const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com';
/** Without RSA with SHA-1, which neither Go nor OpenSSH uses any more. */
const SIGNATURES: readonly SignatureAlgorithm[] = [
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ecdsa-sha2-nistp256',
  'ssh-ed25519',
];

/** The behavior of a specific server. */
export interface SshService {
  /** Such as `SSH-2.0-Name`. */
  readonly identification: string;
  readonly hostKeys: readonly HostKey[];
  /** @throws Error to reject a client */
  readonly admit: (user: string, certificate: SshCertificate) => void;
  /** @returns why a channel of this type is refused, or undefined to open it */
  readonly refuseChannel: (type: string) => string | undefined;
  /** A request on a channel. The handler responds with `channel.reply`. */
  readonly request: (channel: SshChannel, type: string, payload: Buffer, wantsReply: boolean) => Promise<void>;
}

/** Resolves when the client has disconnected. @throws Error for a protocol violation, or a client that is rejected */
export async function serveSsh(stream: Duplex, service: SshService): Promise<void> {
  const connection = new SshConnection(stream, service);
  try {
    await connection.serve();
  } catch (error) {
    // Go's client disconnects without a message
    if (!(error instanceof PeerLeft && connection.admitted)) {
      throw error;
    }
  } finally {
    connection.close();
  }
}

class SshConnection {
  readonly #packets: SshPackets;
  readonly #service: SshService;
  readonly #channels = new Map<number, SshChannel>();
  #agreed: Agreed | undefined;
  #clientName = '';
  #admitted = false;
  #refusal: Error | undefined;
  #attempts = 0;
  #nextChannel = 0;
  /** Ends when the key exchange in progress ends; nothing else may be sent during it (RFC 4253 section 7.1). */
  #exchange: Promise<unknown> = Promise.resolve();

  constructor(stream: Duplex, service: SshService) {
    this.#packets = new SshPackets(stream);
    this.#service = service;
  }

  get admitted(): boolean {
    return this.#admitted;
  }

  async serve(): Promise<void> {
    this.#clientName = await this.#packets.exchangeIdentification(this.#service.identification);
    await this.#exchangeKeys(await this.#packets.read());
    if (this.#agreed?.readsExtensions === true) {
      const algorithms = [...SIGNATURES, ...SIGNATURES.map((name) => `${name}${CERTIFICATE_SUFFIX}`)];
      await this.#send(TRANSPORT.extInfo, uint32(1), sshString('server-sig-algs'), nameList(algorithms));
    }
    for (;;) {
      const payload = await this.#packets.read();
      if (payload[0] === TRANSPORT.disconnect) {
        if (!this.#admitted && this.#refusal !== undefined) {
          throw this.#refusal;
        }
        return;
      }
      await this.#handle(payload);
    }
  }

  close(): void {
    for (const channel of this.#channels.values()) {
      channel.destroy();
    }
    this.#packets.destroy();
  }

  async #handle(payload: Buffer): Promise<void> {
    const reader = new ByteReader(payload);
    const type = reader.uint(1);
    if (type === MESSAGE.kexInit) {
      await this.#exchangeKeys(payload);
    } else if (type === TRANSPORT.serviceRequest) {
      await this.#send(TRANSPORT.serviceAccept, sshString(reader.vector(4)));
    } else if (type === USERAUTH.request) {
      await this.#authenticate(reader);
    } else if (type >= CONNECTION.globalRequest) {
      await this.#handleConnection(type, reader);
    } else if (type > TRANSPORT.debug && type !== TRANSPORT.extInfo) {
      await this.#unimplemented();
    }
  }

  async #exchangeKeys(clientInit: Buffer): Promise<void> {
    const names = { client: this.#clientName, server: this.#service.identification };
    const started = { clientInit, earlier: this.#agreed };
    const exchange = serveKeyExchange(this.#packets, names, this.#service.hostKeys, started);
    this.#exchange = exchange.catch(() => undefined);
    this.#agreed = await exchange;
  }

  async #authenticate(reader: ByteReader): Promise<void> {
    const user = reader.vector(4);
    const service = reader.vector(4);
    const method = reader.vector(4).toString('utf8');
    if (this.#admitted) {
      return; // RFC 4252 section 5.1
    }
    try {
      if (method !== 'publickey' || service.toString('utf8') !== 'ssh-connection') {
        throw new Error(`authentication by ${method} for ${service.toString('utf8')}`);
      }
      await this.#authenticateByKey(reader, user, service);
    } catch (error) {
      // a client begins with "none" to get the list of methods
      this.#refusal = method === 'none' ? this.#refusal : toError(error);
      await this.#refuseAttempt(method);
    }
  }

  async #authenticateByKey(reader: ByteReader, user: Buffer, service: Buffer): Promise<void> {
    const signed = reader.uint(1) !== 0;
    const algorithm = reader.vector(4);
    const key = reader.vector(4);
    const signature = signatureOf(algorithm.toString('utf8'));
    const certificate = readSshCertificate(key);
    this.#service.admit(user.toString('utf8'), certificate);
    if (!signed) {
      await this.#send(USERAUTH.keyAccepted, sshString(algorithm), sshString(key));
      return;
    }
    const session = this.#agreed?.sessionId ?? Buffer.alloc(0);
    const request = [Buffer.from([USERAUTH.request]), sshString(user), sshString(service), sshString('publickey')];
    const data = [sshString(session), ...request, Buffer.from([1]), sshString(algorithm), sshString(key)];
    if (!verifySsh(Buffer.concat(data), certificate.publicKey, reader.vector(4), signature)) {
      throw new Error('the signature of the client does not hold');
    }
    this.#admitted = true;
    await this.#send(USERAUTH.success);
  }

  async #refuseAttempt(method: string): Promise<void> {
    this.#attempts += method === 'none' ? 0 : 1;
    if (this.#attempts >= MAX_ATTEMPTS) {
      await this.#disconnect(NO_MORE_AUTH_METHODS, 'too many authentication failures');
    }
    await this.#send(USERAUTH.failure, nameList(['publickey']), Buffer.from([0]));
  }

  async #handleConnection(type: number, reader: ByteReader): Promise<void> {
    if (!this.#admitted) {
      await this.#disconnect(PROTOCOL_ERROR, 'not authenticated');
    }
    switch (type) {
      case CONNECTION.globalRequest:
        reader.vector(4);
        if (reader.uint(1) !== 0) {
          await this.#send(CONNECTION.requestFailure);
        }
        return;
      case CONNECTION.open:
        await this.#open(reader);
        return;
      default:
        await this.#handleChannel(type, reader);
    }
  }

  async #open(reader: ByteReader): Promise<void> {
    const type = reader.vector(4).toString('utf8');
    const [remoteId, remoteWindow, remoteMaxBytes] = [reader.uint(4), reader.uint(4), reader.uint(4)];
    const refusal = this.#service.refuseChannel(type);
    if (refusal !== undefined) {
      const reason = [uint32(CONNECT_FAILED), sshString(refusal), sshString('')];
      await this.#send(CONNECTION.openFailed, uint32(remoteId), ...reason);
      return;
    }
    const id = this.#nextChannel++;
    const channel = new SshChannel((payload) => this.#sendPayload(payload), { remoteId, remoteWindow, remoteMaxBytes });
    channel.once('close', () => this.#channels.delete(id));
    channel.on('error', () => channel.destroy());
    this.#channels.set(id, channel);
    await this.#send(CONNECTION.opened, ...[remoteId, id, WINDOW_BYTES, MAX_DATA_BYTES].map(uint32));
  }

  async #handleChannel(type: number, reader: ByteReader): Promise<void> {
    const channel = this.#channels.get(reader.uint(4));
    if (channel === undefined) {
      return; // closed on our side while the message was in transit
    }
    switch (type) {
      case CHANNEL.windowAdjust:
        channel.adjust(reader.uint(4));
        return;
      case CHANNEL.data:
        channel.receive(reader.vector(4));
        return;
      case CHANNEL.extendedData:
        return;
      case CHANNEL.eof:
        channel.receiveEnd();
        return;
      case CHANNEL.close:
        channel.receiveClose();
        return;
      case CHANNEL.request: {
        const [name, wantsReply] = [reader.vector(4).toString('utf8'), reader.uint(1) !== 0];
        await this.#service.request(channel, name, reader.take(reader.remaining), wantsReply);
        return;
      }
      default:
        await this.#unimplemented();
    }
  }

  async #unimplemented(): Promise<void> {
    await this.#send(TRANSPORT.unimplemented, uint32(this.#packets.lastSequenceNumber));
  }

  async #disconnect(code: number, text: string): Promise<never> {
    await this.#send(TRANSPORT.disconnect, uint32(code), sshString(text), sshString(''));
    throw this.#refusal ?? new Error(text);
  }

  async #send(type: number, ...fields: readonly Buffer[]): Promise<void> {
    await this.#sendPayload(Buffer.concat([Buffer.from([type]), ...fields]));
  }

  async #sendPayload(payload: Buffer): Promise<void> {
    await this.#exchange;
    await this.#packets.write(payload);
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** The signature algorithm of a certificate's key, by the name that the client sends. */
function signatureOf(algorithm: string): SignatureAlgorithm {
  const found = SIGNATURES.find((name) => algorithm === `${name}${CERTIFICATE_SUFFIX}`);
  if (found === undefined) {
    throw new Error(`authentication by ${algorithm}, which is not a certificate of a known type`);
  }
  return found;
}
