/** Reads server name and ALPN list from a TLS ClientHello before the handshake. */
import type { Socket } from 'node:net';
import { ByteReader } from '../crypto/byte-reader.ts';

export interface ClientHello {
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
}

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;
const ALPN_EXTENSION = 16;
const MAX_HELLO_BYTES = 64 * 1024;

/**
 * Resolves with the complete ClientHello and puts the bytes back, so that the socket can be passed on as if nothing had
 * been read. Rejects if the peer does not speak TLS or disconnects.
 */
export function peekClientHello(socket: Socket): Promise<ClientHello> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const onClose = (): void => {
      reject(new Error('the connection closed before its ClientHello was complete'));
    };
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      try {
        const message = handshakeMessage(received);
        if (message !== undefined) {
          socket.off('data', onData).off('close', onClose).pause();
          socket.unshift(received);
          resolve(parseClientHello(message));
        }
      } catch (error) {
        reject(new Error('not a TLS ClientHello', { cause: error }));
      }
    };
    // the code that read the first byte may have paused the socket
    socket.on('data', onData).once('close', onClose).resume();
  });
}

/** The body of the first handshake message, assembled from its records; undefined until complete. */
function handshakeMessage(received: Buffer): Buffer | undefined {
  const fragments: Buffer[] = [];
  const records = new ByteReader(received);
  while (records.remaining > 0) {
    if (received[0] !== HANDSHAKE_RECORD || received.length > MAX_HELLO_BYTES) {
      throw new RangeError('not a handshake record');
    }
    if (records.remaining < 5) {
      return undefined;
    }
    records.take(3);
    const length = records.uint(2);
    if (records.remaining < length) {
      return undefined;
    }
    fragments.push(records.take(length));
    const handshake = Buffer.concat(fragments);
    if (handshake.length >= 4 && handshake.length >= 4 + handshake.readUIntBE(1, 3)) {
      return handshake;
    }
  }
  return undefined;
}

function parseClientHello(message: Buffer): ClientHello {
  const handshake = new ByteReader(message);
  if (handshake.uint(1) !== CLIENT_HELLO) {
    throw new RangeError('the first handshake message is not a ClientHello');
  }
  const hello = new ByteReader(handshake.vector(3));
  hello.take(2 + 32);
  hello.vector(1);
  hello.vector(2);
  hello.vector(1);
  const extensions = readExtensions(hello);
  return {
    serverName: readServerName(extensions.get(SERVER_NAME_EXTENSION)),
    alpn: readAlpn(extensions.get(ALPN_EXTENSION)),
  };
}

function readExtensions(hello: ByteReader): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  const reader = new ByteReader(hello.remaining > 0 ? hello.vector(2) : Buffer.alloc(0));
  while (reader.remaining > 0) {
    found.set(reader.uint(2), reader.vector(2));
  }
  return found;
}

function readServerName(extension: Buffer | undefined): string | undefined {
  if (extension === undefined) {
    return undefined;
  }
  const names = new ByteReader(new ByteReader(extension).vector(2));
  names.take(1);
  return names.vector(2).toString('utf8');
}

function readAlpn(extension: Buffer | undefined): string[] {
  const offered: string[] = [];
  const list = new ByteReader(extension === undefined ? Buffer.alloc(0) : new ByteReader(extension).vector(2));
  while (list.remaining > 0) {
    offered.push(list.vector(1).toString('utf8'));
  }
  return offered;
}
