/** Requests an SSH host certificate and verifies that the response matches the request. */
import type { KeyObject } from 'node:crypto';
import { sshCertificateProblem } from '../crypto/check-certificate.ts';
import { parseSshCertificate, sshValidity } from '../crypto/ssh-certificate.ts';
import { formatAuthorizedKey, splitKeyLine } from '../crypto/ssh-public-key.ts';
import { clockNotice } from '../crypto/validity.ts';
import type { Clock } from '../effects/time.ts';
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
  /** Sentences for the summary: it expires earlier than requested, the clock is behind. */
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
  // Without a comment: the line goes into files of other programs.
  const line = formatAuthorizedKey(splitKeyLine(await api.generateHostCert(request), 'the host certificate'));
  const certificate = parseSshCertificate(line);
  const { clusterName, principals, publicKey } = request;
  const own = hostAuthorities.filter((authority) => authority.clusterName === clusterName);
  const nowMs = clock.nowMs();
  const problem =
    sshCertificateProblem('it', certificate, {
      type: 'host',
      publicKey,
      authority: {
        name: `the host authority of "${clusterName}"`,
        keys: own.flatMap(({ sshPublicKeys }) => sshPublicKeys),
      },
      askedMs,
      nowMs,
    }) ?? missingPrincipals(certificate.principals, principals);
  if (problem !== undefined) throw credentialMismatch('the host certificate', problem);
  const { beginsAtMs, endsAtMs: expiresAtMs } = sshValidity(certificate);
  const notices = [shortenedLifetime(askedMs, expiresAtMs, 'by its own rules'), clockNotice(beginsAtMs, nowMs)];
  return { line, expiresAtMs, notices: notices.filter((notice) => notice !== undefined) };
}

/** OpenSSH accepts a certificate without principals for every host. */
function missingPrincipals(given: readonly string[], asked: readonly string[]): string | undefined {
  const missing = asked.filter((principal) => !given.includes(principal));
  return missing.length === 0 ? undefined : `it lacks the principals ${missing.join(', ')}`;
}
