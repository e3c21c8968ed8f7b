/** What kubectl gets from its exec plugin: certificate and key of an identity file, in the form of Kubernetes' client authentication API. */
import { join, resolve } from 'node:path';
import { utcTime } from '../crypto/validity.ts';
import { readStoredIdentity, type StoredIdentity } from '../teleport/stored-identity.ts';

/** The file in the destination of a run. */
export const IDENTITY_FILE = 'identity';
export const MAX_IDENTITY_BYTES = 1024 * 1024;

/** kubectl asks again this long before the expiry, so that no request starts with a certificate about to expire. */
const EXPIRY_MARGIN_MS = 60_000;

/** One line. */
export function execCredential({ certificatePem, notAfterMs, privateKeyPem }: StoredIdentity, nowMs: number): string {
  const endsAtMs = notAfterMs - nowMs > EXPIRY_MARGIN_MS ? notAfterMs - EXPIRY_MARGIN_MS : notAfterMs;
  const credential = {
    kind: 'ExecCredential',
    apiVersion: 'client.authentication.k8s.io/v1beta1',
    spec: { interactive: false },
    status: {
      expirationTimestamp: utcTime(endsAtMs),
      clientCertificateData: certificatePem,
      clientKeyData: privateKeyPem.reveal(),
    },
  };
  return `${JSON.stringify(credential)}\n`;
}

interface Surroundings {
  readonly nowMs: number;
  readonly workingDirectory: string;
  /** Throws for anything but a plain file of at most so many bytes. */
  readonly readFile: (path: string, maxBytes: number) => Uint8Array;
}

/**
 * The answer to a call as our kubeconfig makes it, without loading what other calls need: kubectl calls it each time that it runs.
 * @returns undefined for anything unusual, which `kube-credentials` then reports
 */
export function answerToKubectl(
  args: readonly string[],
  { nowMs, readFile, workingDirectory }: Surroundings,
): string | undefined {
  const [, directory] = /^--destination-dir=([^]+)$/.exec(args.length === 1 ? (args[0] ?? '') : '') ?? [];
  if (directory === undefined) return undefined;
  try {
    const path = join(resolve(workingDirectory, directory), IDENTITY_FILE);
    const identity = readStoredIdentity(Buffer.from(readFile(path, MAX_IDENTITY_BYTES)).toString());
    if (identity === undefined || identity.notAfterMs <= nowMs) return undefined;
    return execCredential(identity, nowMs);
  } catch {
    return undefined; // read again, and explained
  }
}
