/** Asks for an SSH host certificate and checks that what came back is what was asked. */
import type { KeyObject } from 'node:crypto';
import { samePublicKey } from '../crypto/keys.ts';
import {
  parseSshCertificate,
  type SshCertificate,
  sshValidity,
  verifySshCertificate,
} from '../crypto/ssh-certificate.ts';
import { formatAuthorizedKey, splitKeyLine } from '../crypto/ssh-public-key.ts';
import { clockNotice, validityProblem } from '../crypto/validity.ts';
import type { Clock } from '../effects/time.ts';
import type { MachineIdError } from '../errors.ts';
import type { AuthApi, CertAuthority } from './auth-api.ts';
import { credentialMismatch, shortenedLifetime } from './issue.ts';

export interface HostCertificateRequest {
  readonly publicKey: KeyObject;
  /** Names and addresses by which clients reach the host. */
  readonly principals: readonly string[];
  /** The cluster that was joined. */
  readonly clusterName: string;
  readonly ttlMs: number;
}

export interface HostCertificate {
  /** `<type> <base64>`, without a line break. */
  readonly line: string;
  readonly expiresAtMs: number;
  /** Sentences for the summary: it ends earlier than asked, the clock is behind. */
  readonly notices: readonly string[];
}

/**
 * @param hostAuthorities of all clusters; the own one's must have signed it
 * @throws MachineIdError CERTIFICATE_MISMATCH, RESPONSE_INVALID, or what the call throws
 */
export async function issueHostCertificate(
  api: Pick<AuthApi, 'generateHostCert'>,
  request: HostCertificateRequest,
  { hostAuthorities, clock }: { readonly hostAuthorities: readonly CertAuthority[]; readonly clock: Clock },
): Promise<HostCertificate> {
  const askedMs = clock.nowMs() + request.ttlMs;
  // A comment is left out: the line goes into files of other programs.
  const line = formatAuthorizedKey(splitKeyLine(await api.generateHostCert(request), 'the host certificate'));
  const certificate = parseSshCertificate(line);
  check(certificate, request, hostAuthorities);
  const nowMs = clock.nowMs();
  const validity = sshValidity(certificate);
  const problem = validityProblem('it', validity, { askedMs, nowMs });
  if (problem !== undefined) throw mismatch(problem);
  const { beginsAtMs, endsAtMs: expiresAtMs } = validity;
  const notices = [shortenedLifetime(askedMs, expiresAtMs, 'by its own rules'), clockNotice(beginsAtMs, nowMs)];
  return { line, expiresAtMs, notices: notices.filter((notice) => notice !== undefined) };
}

function check(
  certificate: SshCertificate,
  { publicKey, principals, clusterName }: HostCertificateRequest,
  hostAuthorities: readonly CertAuthority[],
): void {
  if (!samePublicKey(certificate.publicKey, publicKey)) throw mismatch('it is for another key');
  const own = hostAuthorities.filter((authority) => authority.clusterName === clusterName);
  const signer = formatAuthorizedKey(certificate.signatureKey);
  const trusted = own.some(({ sshPublicKeys }) => sshPublicKeys.includes(signer));
  if (!trusted || !verifySshCertificate(certificate)) {
    throw mismatch(`it is not signed by the host authority of "${clusterName}"`);
  }
  if (certificate.certificateType !== 'host') throw mismatch('it is of a user, not of a host');
  const missing = principals.filter((principal) => !certificate.principals.includes(principal));
  // OpenSSH takes a certificate without principals for every host.
  if (missing.length > 0) throw mismatch(`it lacks the principals ${missing.join(', ')}`);
}

function mismatch(detail: string): MachineIdError {
  return credentialMismatch('the host certificate', detail);
}
