import assert from 'node:assert/strict';
import test from 'node:test';
import { generateKeyPair, type KeyAlgorithm } from '../../src/crypto/keys.ts';
import { verifySshSignature } from '../../src/crypto/ssh-certificate.ts';
import { sshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import { SshReader, sshString, sshUint32 } from '../../src/crypto/ssh-wire.ts';
import { type AgentKey, answerTo } from '../../src/tunnels/ssh-agent.ts';

const FAILURE = Buffer.of(5);
const SHA2_512 = 4;

/** The agent compares the certificate only as bytes. */
const CERTIFICATE = sshString('ecdsa-sha2-nistp256-cert-v01@openssh.com');
const CERTIFICATE_LINE = `ecdsa-sha2-nistp256-cert-v01@openssh.com ${Buffer.from(CERTIFICATE).toString('base64')}`;

async function agentKey(algorithm: KeyAlgorithm): Promise<AgentKey> {
  return { keyPair: await generateKeyPair(algorithm), sshCertificateLine: CERTIFICATE_LINE };
}

function signRequest(blob: Uint8Array, data: string, flags: number): Uint8Array {
  return Buffer.concat([Buffer.of(13), sshString(blob), sshString(data), sshUint32(flags)]);
}

for (const algorithm of ['ecdsa-p256', 'ed25519', 'rsa-2048'] as const) {
  test(`the agent signs with a key of ${algorithm}, for its certificate and for the bare key`, async () => {
    const key = await agentKey(algorithm);
    const own = sshPublicKey(key.keyPair.publicKey);
    for (const blob of [CERTIFICATE, own.blob]) {
      const answer = answerTo(signRequest(blob, 'data', SHA2_512), () => key);
      assert.equal(answer[0], 14);
      const signature = new SshReader(answer.subarray(1), 'the answer').bytes();
      assert.ok(verifySshSignature(own, signature, Buffer.from('data')));
      assert.ok(!verifySshSignature(own, signature, Buffer.from('other')));
    }
  });
}

test('the agent lists the certificate and the bare key', async () => {
  const key = await agentKey('ecdsa-p256');
  const reader = new SshReader(answerTo(Buffer.of(11), () => key).subarray(1), 'the answer');
  assert.equal(reader.uint32(), 2);
  assert.deepEqual(Buffer.from(reader.bytes()), Buffer.from(CERTIFICATE));
  assert.equal(reader.text(), 'machine-id');
  assert.deepEqual(Buffer.from(reader.bytes()), Buffer.from(sshPublicKey(key.keyPair.publicKey).blob));
});

test('other keys, other requests, SHA-1 and broken requests are refused', async () => {
  const key = await agentKey('rsa-2048');
  const { blob } = sshPublicKey(key.keyPair.publicKey);
  const { blob: other } = sshPublicKey((await generateKeyPair('ed25519')).publicKey);
  const valid = signRequest(blob, 'data', SHA2_512);
  const refused = [
    signRequest(other, 'data', SHA2_512),
    signRequest(blob, 'data', 0),
    valid.subarray(0, -1),
    Buffer.concat([valid, Buffer.of(0)]),
    Buffer.of(17),
    Buffer.of(19),
    Buffer.alloc(0),
  ];
  for (const message of refused)
    assert.deepEqual(
      answerTo(message, () => key),
      FAILURE,
    );
  const expired = (): never => {
    throw new Error('it has expired');
  };
  assert.deepEqual(answerTo(Buffer.of(11), expired), FAILURE);
});
