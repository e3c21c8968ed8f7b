/** MySQL's protocol, in which the server speaks first (its manual, "Client/Server Protocol"), as far as a tunnel needs it. */
import { readAnswer, refusedBy, type Wire } from './wire.ts';

const HEADER_BYTES = 4;
const GREETING = 10;
const ERROR = 0xff;
/** ER_UNKNOWN_ERROR. */
const ERROR_NUMBER = 1105;

export const mysqlWire: Wire = {
  probe: async (upstream, signal) => {
    await readAnswer(upstream, signal, greeting);
  },
  refuse: (client, reason) => {
    client.end(errorPacket(reason));
  },
};

function greeting(bytes: Buffer): true | undefined {
  if (bytes.length <= HEADER_BYTES) return undefined;
  const length = bytes.readUIntLE(0, 3);
  const kind = bytes[HEADER_BYTES];
  if (kind === GREETING) return true;
  if (kind !== ERROR) throw refusedBy('the database', `a packet of the kind ${String(kind)} instead of a greeting`);
  if (bytes.length < HEADER_BYTES + length) return undefined;
  // The number of the error comes before its text, and in later packets a state.
  throw refusedBy(
    'the database',
    bytes.toString('utf8', HEADER_BYTES + 3, HEADER_BYTES + length).replace(/^#.{5}/, ''),
  );
}

/** As the first packet it has no state, since nothing has been negotiated. */
function errorPacket(reason: string): Buffer {
  const text = Buffer.from(reason);
  const packet = Buffer.alloc(HEADER_BYTES + 3 + text.length);
  packet.writeUIntLE(3 + text.length, 0, 3);
  packet[HEADER_BYTES] = ERROR;
  packet.writeUInt16LE(ERROR_NUMBER, HEADER_BYTES + 1);
  text.copy(packet, HEADER_BYTES + 3);
  return packet;
}
