/** The part of PostgreSQL's protocol that is needed to log in (version 3.0, "Message Formats"). */
import type { Duplex } from 'node:stream';
import { readExactly } from './exact-reads.ts';

const MAX_STARTUP_BYTES = 10_000;

export const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** By the number where a startup message has the version of the protocol. */
const KINDS = { 196_608: 'startup', 80_877_102: 'cancel', 80_877_103: 'ssl', 80_877_104: 'gss' } as const;

/** The first message of a client, or one of those that it may send before. */
export interface Startup {
  readonly kind: (typeof KINDS)[keyof typeof KINDS];
  /** The whole message, to forward. */
  readonly bytes: Buffer;
  /** Empty unless the kind is `startup`. */
  readonly parameters: ReadonlyMap<string, string>;
}

export async function readStartup(stream: Duplex): Promise<Startup> {
  const header = await readExactly(stream, 4);
  const length = header.readUInt32BE(0);
  if (length < 8 || length > MAX_STARTUP_BYTES) {
    throw new Error('not a startup message');
  }
  const body = await readExactly(stream, length - 4);
  const kind = Object.entries(KINDS).find(([number]) => Number(number) === body.readUInt32BE(0))?.[1];
  if (kind === undefined) {
    throw new Error('not version 3.0 of the protocol');
  }
  const parameters = kind === 'startup' ? parametersOf(body.subarray(4)) : new Map<string, string>();
  return { kind, bytes: Buffer.concat([header, body]), parameters };
}

/** Ends a connection with an error, as psql shows it. */
export function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`);
  const header = Buffer.alloc(5);
  header.write('E');
  header.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([header, fields]);
}

function parametersOf(bytes: Buffer): Map<string, string> {
  const texts = bytes.toString('utf8').split('\0');
  const parameters = new Map<string, string>();
  for (let at = 0; at + 1 < texts.length && texts[at] !== ''; at += 2) {
    parameters.set(texts[at] ?? '', texts[at + 1] ?? '');
  }
  return parameters;
}
