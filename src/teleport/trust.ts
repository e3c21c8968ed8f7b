/** Which certificate authorities vouch for the Proxy's web certificate. */
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { fileFault } from '../effects/file-error.ts';
import { MachineIdError } from '../errors.ts';

/** How to check the Proxy's web certificate. */
export interface WebTrust {
  /** PEM of the only trusted authorities, or undefined for Node's own list (with `NODE_EXTRA_CA_CERTS`). */
  readonly ca: string | undefined;
  /** False only when the user asked for `insecure`. */
  readonly verify: boolean;
}

export interface WebTrustSettings {
  readonly caFile: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly insecure: boolean;
  readonly readText: (path: string) => Promise<string>;
}

/**
 * `--ca-file` or else `SSL_CERT_FILE` replaces the built-in list, as the variable does for Teleport's own programs.
 * `NODE_EXTRA_CA_CERTS` adds to that list inside Node itself.
 * @throws MachineIdError CA_FILE_INVALID
 */
export async function webTrust(settings: WebTrustSettings): Promise<WebTrust> {
  const verify = !settings.insecure;
  const variable = settings.environment.SSL_CERT_FILE;
  if (settings.caFile !== undefined) return { ca: await readCaFile(settings, settings.caFile, '--ca-file'), verify };
  if (variable !== undefined && variable !== '') {
    return { ca: await readCaFile(settings, variable, 'SSL_CERT_FILE'), verify };
  }
  return { ca: undefined, verify };
}

/** A private authority, for the cluster or a mirror, comes beside those for the public server. */
export function downloadAuthorities(own: string): readonly string[] {
  return [...rootCertificates, own];
}

async function readCaFile({ readText }: WebTrustSettings, path: string, origin: string): Promise<string> {
  const hint = `Give ${origin} the path of a PEM file with the certificates of the authorities that sign the Proxy's web certificate.`;
  let text: string;
  try {
    text = await readText(path);
  } catch (cause) {
    const message = `cannot read the CA file ${path} (${origin}): ${fileFault(cause)}`;
    throw new MachineIdError('CA_FILE_INVALID', message, { hint, cause });
  }
  const first = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text)?.[0];
  if (first === undefined) {
    throw new MachineIdError('CA_FILE_INVALID', `the CA file ${path} (${origin}) holds no PEM certificate`, { hint });
  }
  try {
    new X509Certificate(first);
  } catch (cause) {
    throw new MachineIdError('CA_FILE_INVALID', `the CA file ${path} (${origin}) holds a broken certificate`, {
      hint,
      cause,
    });
  }
  return text;
}
