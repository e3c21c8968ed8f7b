/** `kube-credentials`: what kubectl runs, by a kubeconfig of ours that names a program, to get certificate and key. */
import { resolve } from 'node:path';
import { utcTime } from '../crypto/validity.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import type { StoredIdentity } from '../outputs/stored-identity.ts';
import { type Flag, parseFlags } from './command-line.ts';
import { readDestinationIdentity } from './destination-files.ts';

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
  const identity = await readDestinationIdentity(world, directory);
  await world.result(`${execCredential(identity, world.clock.nowMs())}\n`);
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
