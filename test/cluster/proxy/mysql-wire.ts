/** The part of MySQL's protocol that is needed to log in ("Connection Phase" in MySQL's internals manual). */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { readExactly } from './exact-reads.ts';

export const CAPABILITY = {
  connectWithDatabase: 0x8,
  protocol41: 0x200,
  ssl: 0x800,
  secureConnection: 0x8000,
  pluginAuth: 0x80000,
  connectAttributes: 0x100000,
  pluginAuthLengthEncoded: 0x200000,
} as const;

/**
 * What the Proxy offers a client: long passwords, found rows, long flags, a database, LOCAL files, protocol 4.1,
 * interactive clients, transactions, secure connections, several statements and results, plugins. The agent offers the
 * server the same, so that bytes can be copied after the login.
 */
const OFFERED = 0x1 | 0x2 | 0x4 | 0x8 | 0x80 | 0x200 | 0x400 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x40000 | 0x80000;
const UTF8 = 33;
const AUTOCOMMIT = 2;
const MAX_PACKET_BYTES = 0xffffff;
const PLUGIN = 'mysql_native_password';
const SCRAMBLE_BYTES = 20;
const FIXED_RESPONSE_BYTES = 32;
const HEADER = { ok: 0x00, switchAuth: 0xfe, error: 0xff } as const;

export interface Packet {
  readonly sequence: number;
  readonly body: Buffer;
}

export async function readPacket(stream: Duplex): Promise<Packet> {
  const header = await readExactly(stream, 4);
  const length = header.readUIntLE(0, 3);
  return { sequence: header.readUInt8(3), body: length === 0 ? Buffer.alloc(0) : await readExactly(stream, length) };
}

export function packet(sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(body.length, 0, 3);
  header.writeUInt8(sequence, 3);
  return Buffer.concat([header, body]);
}

/** The greeting, with which the server begins. */
export function greeting(version: string, encrypts: boolean): Buffer {
  const capabilities = OFFERED | (encrypts ? CAPABILITY.ssl : 0);
  // no zero in it, which would end it
  const scramble = randomBytes(SCRAMBLE_BYTES).map((byte) => (byte % 126) + 1);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16LE(capabilities & 0xffff, 0);
  fixed.writeUInt8(UTF8, 2);
  fixed.writeUInt16LE(AUTOCOMMIT, 3);
  fixed.writeUInt16LE(capabilities >>> 16, 5);
  fixed.writeUInt8(SCRAMBLE_BYTES + 1, 7);
  return packet(
    0,
    Buffer.concat([
      Buffer.from(`\u000a${version}\0`),
      Buffer.from([1, 0, 0, 0]),
      scramble.subarray(0, 8),
      Buffer.from([0]),
      fixed.subarray(0, 8),
      Buffer.alloc(10),
      scramble.subarray(8),
      Buffer.from(`\0${PLUGIN}\0`),
    ]),
  );
}

/** What a client answers, or only its beginning: a request to encrypt first. */
export interface Response {
  readonly capabilities: number;
  readonly encrypts: boolean;
  readonly user: string;
  readonly database: string;
}

export function readResponse(body: Buffer): Response {
  const capabilities = body.length < FIXED_RESPONSE_BYTES ? 0 : body.readUInt32LE(0);
  if ((capabilities & CAPABILITY.protocol41) === 0) {
    throw new Error('not a response of protocol 4.1');
  }
  if (body.length === FIXED_RESPONSE_BYTES) {
    return { capabilities, encrypts: (capabilities & CAPABILITY.ssl) !== 0, user: '', database: '' };
  }
  const userEnd = body.indexOf(0, FIXED_RESPONSE_BYTES);
  const proofLength = body.readUInt8(userEnd + 1);
  const rest = body.subarray(userEnd + 2 + proofLength);
  return {
    capabilities,
    encrypts: false,
    user: body.toString('utf8', FIXED_RESPONSE_BYTES, userEnd),
    database: (capabilities & CAPABILITY.connectWithDatabase) === 0 ? '' : rest.toString('utf8', 0, rest.indexOf(0)),
  };
}

/** The agent's request to encrypt, and its response with the login; without a password, a certificate is the proof. */
export function agentResponses(
  client: Response,
  login: { readonly user: string; readonly name: string },
): { readonly encrypt: Buffer; readonly logIn: Buffer } {
  const common = client.capabilities & OFFERED & ~CAPABILITY.connectWithDatabase;
  const capabilities = common | CAPABILITY.ssl | (login.name === '' ? 0 : CAPABILITY.connectWithDatabase);
  const fixed = Buffer.alloc(FIXED_RESPONSE_BYTES);
  fixed.writeUInt32LE(capabilities, 0);
  fixed.writeUInt32LE(MAX_PACKET_BYTES, 4);
  fixed.writeUInt8(UTF8, 8);
  const database = login.name === '' ? '' : `${login.name}\0`;
  return {
    encrypt: packet(1, fixed),
    logIn: packet(2, Buffer.concat([fixed, Buffer.from(`${login.user}\0\0${database}${PLUGIN}\0`)])),
  };
}

/** Reads the server's answer to a login; resolves with an error's code and text, or undefined for success. */
export async function readVerdict(
  server: Duplex,
): Promise<{ readonly code: number; readonly message: string } | undefined> {
  for (;;) {
    const { body, sequence } = await readPacket(server);
    switch (body.readUInt8(0)) {
      case HEADER.ok:
        return undefined;
      case HEADER.switchAuth:
        server.write(packet(sequence + 1, Buffer.alloc(0)));
        break;
      case HEADER.error:
        return { code: body.readUInt16LE(1), message: body.toString('utf8', 3).replace(/^#.{5}/, '') };
      default:
        throw new Error(`a packet of the type ${String(body[0])} instead of the result of a login`);
    }
  }
}

export function okPacket(sequence: number): Buffer {
  return packet(sequence, Buffer.from([HEADER.ok, 0, 0, AUTOCOMMIT, 0, 0, 0]));
}

export function errorPacket(sequence: number, code: number, message: string): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt8(HEADER.error, 0);
  head.writeUInt16LE(code, 1);
  return packet(sequence, Buffer.concat([head, Buffer.from(`#HY000${message}`)]));
}
