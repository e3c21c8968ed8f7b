/** An SSH agent with one key and its certificate (draft-ietf-sshm-ssh-agent): lists them and signs, and nothing else. */
import type { Socket } from 'node:net';
import type { KeyPair } from '../crypto/keys.ts';
import { splitKeyLine, sshPublicKey } from '../crypto/ssh-public-key.ts';
import { sshSignature } from '../crypto/ssh-sign.ts';
import { SshReader, sshString, sshUint32 } from '../crypto/ssh-wire.ts';

export interface AgentKey {
  readonly keyPair: KeyPair;
  /** `<type>-cert-v01@openssh.com <base64>`. */
  readonly sshCertificateLine: string;
}

const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;

const LENGTH_BYTES = 4;
/** As in OpenSSH. */
const MAX_MESSAGE_BYTES = 256 * 1024;
const WHAT = 'the message to the SSH agent';

/**
 * Answers the requests of one client, in their order. Closes the connection if it sends what is not a message. Never throws.
 * @param current the newest key
 */
export function serveAgent(client: Socket, current: () => AgentKey): void {
  let received: Buffer = Buffer.alloc(0);
  client.on('error', () => undefined);
  client.on('end', () => client.end());
  client.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= LENGTH_BYTES) {
      const length = received.readUInt32BE(0);
      if (length === 0 || length > MAX_MESSAGE_BYTES) {
        client.destroy();
        return;
      }
      const end = LENGTH_BYTES + length;
      if (received.length < end) return;
      client.write(sshString(answerTo(received.subarray(LENGTH_BYTES, end), current)));
      received = received.subarray(end);
    }
  });
  // Accepted connections are paused.
  client.resume();
}

/** A message is a type and its contents. */
export function answerTo(message: Uint8Array, current: () => AgentKey): Uint8Array {
  try {
    const [type] = message;
    if (type === REQUEST_IDENTITIES) return identities(current());
    if (type === SIGN_REQUEST) return signature(message.subarray(1), current());
  } catch {
    // An unreadable request, or an expired key: a client only learns that it fails.
  }
  return Buffer.of(FAILURE);
}

/** Old versions of OpenSSH and Paramiko need the bare key beside its certificate. */
function identities(key: AgentKey): Uint8Array {
  const blobs = blobsOf(key);
  const comment = sshString('machine-id');
  return Buffer.concat([
    Buffer.of(IDENTITIES_ANSWER),
    sshUint32(blobs.length),
    ...blobs.flatMap((blob) => [sshString(blob), comment]),
  ]);
}

function signature(contents: Uint8Array, key: AgentKey): Uint8Array {
  const reader = new SshReader(contents, WHAT);
  const [wanted, data, flags] = [reader.bytes(), reader.bytes(), reader.uint32()];
  reader.end();
  const isOwn = blobsOf(key).some((blob) => Buffer.compare(blob, wanted) === 0);
  const made = isOwn ? sshSignature(key.keyPair, data, flags) : undefined;
  return made === undefined ? Buffer.of(FAILURE) : Buffer.concat([Buffer.of(SIGN_RESPONSE), sshString(made)]);
}

function blobsOf({ keyPair, sshCertificateLine }: AgentKey): readonly Uint8Array[] {
  return [splitKeyLine(sshCertificateLine, 'the SSH certificate').blob, sshPublicKey(keyPair.publicKey).blob];
}
