/** The bytes of an SSH session in the messages that carry them, put in and taken out without a copy. */
import { ProxySSHResponseSchema } from '../teleport/gen/teleport/transport/v1/transport_service_pb.ts';
import { lengthOf, type MessagePieces } from '../teleport/grpc-messages.ts';
import { decode } from '../teleport/protobuf.ts';

/** Field number and the wire type of bytes (Protocol Buffers, "Encoding"): `ssh` of both messages, in it `payload`. */
const SSH_TAG = (2 << 3) | 2;
const PAYLOAD_TAG = (1 << 3) | 2;
/** As many as a length below 256 MiB takes; messages are far shorter. */
const MOST_LENGTH_BYTES = 4;

/** What stands before the payload in a request. */
export function framePrefix(length: number): Uint8Array {
  const frame = [PAYLOAD_TAG, ...varint(length)];
  return Uint8Array.from([SSH_TAG, ...varint(frame.length + length), ...frame]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/**
 * A response's payload, none in one that carries something else. Where nothing but the payload stands in it, and its
 * head lies in one piece, the pieces themselves are handed on.
 */
export function payloadOf(message: MessagePieces): readonly Uint8Array[] {
  const [first, ...others] = message;
  const start = first && payloadStart(first, lengthOf(message));
  const parts = start === undefined ? [readInFull(message)] : [first?.subarray(start) ?? new Uint8Array(), ...others];
  return parts.filter((part) => part.length > 0);
}

function readInFull(message: MessagePieces): Uint8Array {
  return decode(ProxySSHResponseSchema, Buffer.concat(message)).ssh?.payload ?? new Uint8Array();
}

/** @param end of the message; both fields must reach it */
function payloadStart(bytes: Uint8Array, end: number): number | undefined {
  const frame = valueStart(bytes, 0, SSH_TAG, end);
  return frame === undefined ? undefined : valueStart(bytes, frame, PAYLOAD_TAG, end);
}

function valueStart(bytes: Uint8Array, at: number, tag: number, end: number): number | undefined {
  if (bytes[at] !== tag) return undefined;
  let length = 0;
  for (let read = 0; read < MOST_LENGTH_BYTES; read += 1) {
    const byte = bytes[at + 1 + read];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * read);
    const start = at + 2 + read;
    if (byte < 0x80) return start + length === end ? start : undefined;
  }
  return undefined;
}
