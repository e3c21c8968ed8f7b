/** The part of PostgreSQL's protocol that is needed to log in (version 3.0, "Message Formats"). */
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';

const PROTOCOL_3 = 196_608;
const MAX_STARTUP_BYTES = 10_000;

export interface Startup {
  /** The whole message, to forward. */
  readonly bytes: Buffer;
  readonly parameters: ReadonlyMap<string, string>;
}

export async function readStartup(socket: TLSSocket): Promise<Startup> {
  const header = await read(socket, 4);
  const length = header.readUInt32BE(0);
  if (length < 9 || length > MAX_STARTUP_BYTES) {
    throw new Error('not a startup message');
  }
  const body = await read(socket, length - 4);
  if (body.readUInt32BE(0) !== PROTOCOL_3) {
    throw new Error('not version 3.0 of the protocol');
  }
  const texts = body.subarray(4).toString('utf8').split('\0');
  const parameters = new Map<string, string>();
  for (let at = 0; at + 1 < texts.length && texts[at] !== ''; at += 2) {
    parameters.set(texts[at] ?? '', texts[at + 1] ?? '');
  }
  return { bytes: Buffer.concat([header, body]), parameters };
}

/** Ends a connection with an error, as psql shows it. */
export function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`);
  const header = Buffer.alloc(5);
  header.write('E');
  header.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([header, fields]);
}

async function read(socket: TLSSocket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = socket.read(length);
    if (bytes instanceof Buffer) {
      return bytes;
    }
    await once(socket, 'readable');
  }
}
