/** MySQL's protocol, in which the server speaks first (its manual, "Client/Server Protocol"), as far as a tunnel needs it. */
import { readAnswer, refusedBy, type Wire } from './wire.ts';

const HEADER_BYTES = 4;
const GREETING = 10;
const OK = 0x00;
const SWITCH = 0xfe;
const ERROR = 0xff;
/** ER_UNKNOWN_ERROR. */
const ERROR_NUMBER = 1105;
const QUIT = Buffer.from([1, 0, 0, 0, 1]);

interface Login {
  readonly username: string;
  readonly database: string;
}

/**
 * The probe logs in and out again: the greeting is the Proxy's own, and only the answer to the login comes from the database. No
 * password is asked for, since the certificate says who it is.
 */
export function mysqlWire(login: Login): Wire {
  return {
    probe: async (upstream, signal) => {
      await readAnswer(upstream, signal, (bytes) => packetIn(bytes, [GREETING]));
      upstream.write(loginPacket(login));
      const { kind, next } = await readAnswer(upstream, signal, (bytes) => packetIn(bytes, [OK, SWITCH]));
      if (kind === SWITCH) {
        upstream.write(Buffer.from([0, 0, 0, next]));
        await readAnswer(upstream, signal, (bytes) => packetIn(bytes, [OK]));
      }
      upstream.write(QUIT);
    },
    refuse: (client, reason) => {
      client.end(errorPacket(reason));
    },
  };
}

interface Packet {
  /** Its first byte. */
  readonly kind: number;
  /** The number of the packet that answers it. */
  readonly next: number;
}

/** @returns undefined while it is incomplete */
function packetIn(bytes: Buffer, expected: readonly number[]): Packet | undefined {
  if (bytes.length <= HEADER_BYTES) return undefined;
  const end = HEADER_BYTES + bytes.readUIntLE(0, 3);
  if (bytes.length < end) return undefined;
  const [kind, next] = [bytes.readUInt8(HEADER_BYTES), bytes.readUInt8(HEADER_BYTES - 1) + 1];
  if (expected.includes(kind)) return { kind, next };
  if (kind !== ERROR)
    throw refusedBy('the database', `a packet of the kind ${kind}, expected ${expected.join(' or ')}`);
  // The number of the error comes before its text, and in later packets a state.
  throw refusedBy('the database', bytes.toString('utf8', HEADER_BYTES + 3, end).replace(/^#.{5}/, ''));
}

/** CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_CONNECT_WITH_DB and CLIENT_PLUGIN_AUTH. */
const CAPABILITIES = 0x200 | 0x8000 | 0x8 | 0x80000;
const MAX_PACKET_BYTES = 1 << 24;
const UTF8MB4 = 45;
const RESERVED_BYTES = 23;

/** HandshakeResponse41, with an empty password. */
function loginPacket({ database, username }: Login): Buffer {
  const head = Buffer.alloc(9 + RESERVED_BYTES);
  head.writeUInt32LE(CAPABILITIES, 0);
  head.writeUInt32LE(MAX_PACKET_BYTES, 4);
  head.writeUInt8(UTF8MB4, 8);
  const body = Buffer.concat([head, Buffer.from(`${username}\0\0${database}\0mysql_native_password\0`)]);
  return packet(body, 1);
}

/** As the first packet it has no state, since nothing has been negotiated. */
function errorPacket(reason: string): Buffer {
  const head = Buffer.from([ERROR, 0, 0]);
  head.writeUInt16LE(ERROR_NUMBER, 1);
  return packet(Buffer.concat([head, Buffer.from(reason)]), 0);
}

function packet(body: Buffer, sequence: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntLE(body.length, 0, 3);
  header.writeUInt8(sequence, 3);
  return Buffer.concat([header, body]);
}
