/** PostgreSQL's protocol, version 3 (its manual, "Frontend/Backend Protocol"), as far as a tunnel needs it. */
import type { Socket } from 'node:net';
import { readAnswer, refusedBy, type Wire } from './wire.ts';

const PROTOCOL_3 = 196_608;
/** Requests for encryption, which the Proxy answers with no: TLS is around the whole connection already. */
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const NO = Buffer.from('N');
const HEADER_BYTES = 5;
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);

interface Login {
  readonly username: string;
  readonly database: string;
}

/** The probe logs in and out again. */
export function postgresWire({ database, username }: Login): Wire {
  return {
    probe: async (upstream, signal) => {
      upstream.write(startup({ user: username, database, application_name: 'machine-id' }));
      await readAnswer(upstream, signal, (bytes) => loginOutcome(bytes));
      upstream.write(TERMINATE);
    },
    refuse: (client, reason) => {
      refuse(client, reason);
    },
  };
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(parameters)
    .map(([name, value]) => `${name}\0${value}\0`)
    .join('');
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(head.length + body.length, 0);
  head.writeUInt32BE(PROTOCOL_3, 4);
  return Buffer.concat([head, body]);
}

/** @returns true once the server is ready; undefined while more messages must come */
function loginOutcome(bytes: Buffer): true | undefined {
  let at = 0;
  while (bytes.length >= at + HEADER_BYTES) {
    const type = String.fromCharCode(bytes[at] ?? 0);
    const length = bytes.readUInt32BE(at + 1);
    const end = at + 1 + length;
    if (type === 'Z') return true;
    if (bytes.length < end) return undefined;
    if (type === 'E') throw refusedBy('the database', errorText(bytes.subarray(at + HEADER_BYTES, end)));
    at = end;
  }
  return undefined;
}

/** The field M has the message. */
function errorText(body: Buffer): string {
  const fields = body.toString('utf8').split('\0');
  return fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'an error without a message';
}

/** Answers a request for encryption first, since clients show an error only after their start-up message. */
function refuse(client: Socket, reason: string): void {
  const error = errorResponse(reason);
  const onData = (chunk: Buffer) => {
    const code = chunk.length >= 8 ? chunk.readUInt32BE(4) : 0;
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      client.write(NO);
      return;
    }
    client.off('data', onData);
    client.end(error);
  };
  client.on('data', onData);
}

/** 08006 is connection_failure. */
function errorResponse(reason: string): Buffer {
  const fields = `SFATAL\0VFATAL\0C08006\0M${reason.replaceAll('\0', ' ')}\0\0`;
  const body = Buffer.from(fields);
  const head = Buffer.alloc(HEADER_BYTES);
  head.write('E', 0);
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}
