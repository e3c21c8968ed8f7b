/** `kube-credentials`: what kubectl runs, by a kubeconfig of ours that names a program, to get certificate and key. */
import { join, resolve } from 'node:path';
import { utcTime } from '../crypto/validity.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import { readStoredIdentity, type StoredIdentity } from '../outputs/stored-identity.ts';
import { type Flag, parseFlags } from './command-line.ts';
import { identityUnreadable, readDestinationFile } from './destination-files.ts';

export const KUBE_CREDENTIALS_FLAGS: readonly Flag[] = [
  { name: 'destination-dir', value: 'DIR', help: 'Directory that run has written a kubernetes output to.' },
];

/** kubectl asks again this long before the end, so that no request begins with a certificate about to end. */
const EARLIER_MS = 60_000;

/** @throws MachineIdError USAGE_INVALID, IDENTITY_UNREADABLE */
export async function kubeCredentials(args: readonly string[], world: World): Promise<void> {
  const [destination = ''] = parseFlags(KUBE_CREDENTIALS_FLAGS, args).get('destination-dir') ?? [];
  if (destination === '') {
    throw new MachineIdError('USAGE_INVALID', 'the command line is wrong', {
      hint: 'This command is meant for the kubeconfig.yaml that run writes.',
      faults: [{ path: '--destination-dir', message: 'is missing' }],
    });
  }
  const directory = resolve(world.workingDirectory, destination);
  // One file holds key and certificate, so that a run that replaces them meanwhile cannot give halves of two.
  const text = await readDestinationFile(world, directory, 'identity');
  const path = join(directory, 'identity');
  const identity = parse(text, path) ?? notThere(path);
  const nowMs = world.clock.nowMs();
  if (identity.notAfterMs <= nowMs) {
    throw identityUnreadable(`the certificate in ${path} ended at ${utcTime(identity.notAfterMs)}`);
  }
  world.stdout(`${execCredential(identity, nowMs)}\n`);
}

function parse(text: string, path: string): StoredIdentity | undefined {
  try {
    return readStoredIdentity(text);
  } catch (cause) {
    throw identityUnreadable(`${path} holds a certificate that cannot be read`, cause);
  }
}

function notThere(path: string): never {
  throw identityUnreadable(`${path} does not hold a key and a certificate`);
}

function execCredential({ certificatePem, notAfterMs, privateKeyPem }: StoredIdentity, nowMs: number): string {
  const endsAtMs = notAfterMs - nowMs > EARLIER_MS ? notAfterMs - EARLIER_MS : notAfterMs;
  return JSON.stringify({
    kind: 'ExecCredential',
    apiVersion: 'client.authentication.k8s.io/v1beta1',
    spec: { interactive: false },
    status: {
      expirationTimestamp: utcTime(endsAtMs),
      clientCertificateData: certificatePem,
      clientKeyData: privateKeyPem.reveal(),
    },
  });
}
