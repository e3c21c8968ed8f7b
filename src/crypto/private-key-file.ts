/** Finds the public key in the text of a private key's file. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { MachineIdError } from '../errors.ts';
import { toKeyObject } from './ssh-public-key.ts';
import { SshReader } from './ssh-wire.ts';

const OPENSSH = /^-----BEGIN OPENSSH PRIVATE KEY-----\n([A-Za-z0-9+/=\n]+)-----END OPENSSH PRIVATE KEY-----\s*$/;
const MAGIC = Buffer.from('openssh-key-v1\0');
const WHAT = 'the private key';

/**
 * @param text PEM of any of Node's forms, or OpenSSH's own (PROTOCOL.key of OpenSSH)
 * @throws MachineIdError REPLY_INVALID, whose message holds nothing of the key
 */
export function publicKeyInFile(text: string): KeyObject {
  const [, base64] = OPENSSH.exec(text) ?? [];
  if (base64 !== undefined) return publicKeyOfOpenSsh(Buffer.from(base64, 'base64'));
  try {
    if (!text.includes('PRIVATE KEY-----')) throw new Error('there is no such block');
    return createPublicKey(text);
  } catch (cause) {
    throw unreadable('it is no PEM of one', cause);
  }
}

/** It stands before the secret part, and unencrypted in every case. */
function publicKeyOfOpenSsh(bytes: Buffer): KeyObject {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw unreadable('it does not begin as OpenSSH has it');
  const reader = new SshReader(bytes.subarray(MAGIC.length), WHAT);
  reader.bytes(); // cipher
  reader.bytes(); // key derivation
  reader.bytes(); // its options
  if (reader.uint32() !== 1) throw unreadable('it is not exactly one key');
  const blob = reader.bytes();
  return toKeyObject({ type: new SshReader(blob, WHAT).text(), blob });
}

function unreadable(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('REPLY_INVALID', `${WHAT} cannot be read: ${detail}`, {
    hint: 'Look at what has written the file.',
    cause,
  });
}
