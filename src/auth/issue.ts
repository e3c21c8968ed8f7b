/** Requests the certificates of an output and verifies that the response matches the request. */
import { sshCertificateProblem, tlsCertificateProblem } from '../crypto/check-certificate.ts';
import type { KeyPair } from '../crypto/keys.ts';
import { parseSshCertificate, type SshCertificate, sshValidity } from '../crypto/ssh-certificate.ts';
import { formatAuthorizedKey, splitKeyLine } from '../crypto/ssh-public-key.ts';
import { CLOCK_TOLERANCE_MS, clockNotice, utcTime } from '../crypto/validity.ts';
import { readCertificate, type TlsCertificate, tlsValidity } from '../crypto/x509.ts';
import type { Clock } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../net/network-error.ts';
import type { AuthApi, CertAuthority, IdentityRequest } from './auth-api.ts';
import { usableLogins } from './logins.ts';
import { routeAttributes } from './route.ts';

export interface IssuedIdentity {
  readonly identity: Identity;
  /** Sentences for the summary: the certificates expire earlier than requested, the clock is behind. */
  readonly notices: readonly string[];
}

/** The identity of an output: one key with its SSH and TLS certificate. */
export interface Identity {
  readonly keyPair: KeyPair;
  /** One authorized_keys-style line, `<type>-cert-v01@openssh.com <base64>`, without newline. */
  readonly sshCertificateLine: string;
  /** One `CERTIFICATE` PEM block that ends with a newline. */
  readonly tlsCertificatePem: string;
  /** Teleport roles in the certificate. */
  readonly roles: readonly string[];
  /** Unix users that the SSH certificate allows to log in as. */
  readonly logins: readonly string[];
  /** When the earlier of the two certificates ends, milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/**
 * @param userAuthorities of the cluster that was joined: they must have signed both certificates
 * @throws MachineIdError CERTIFICATE_MISMATCH, RESPONSE_INVALID, or what the call throws
 */
export async function issueIdentity(
  api: Pick<AuthApi, 'generateUserCerts'>,
  request: IdentityRequest,
  { userAuthorities, clock }: { readonly userAuthorities: Promise<readonly CertAuthority[]>; readonly clock: Clock },
): Promise<IssuedIdentity> {
  const { clusterName, expiresAtMs: askedMs, keyPair } = request;
  const [certs, authorities] = await Promise.all([api.generateUserCerts(request), userAuthorities]);
  const tls = readCertificate(certs.tls);
  const ssh = parseSshCertificate(certs.ssh);
  const own = authorities.filter((authority) => authority.clusterName === clusterName);
  const nowMs = clock.nowMs();
  const expected = { publicKey: keyPair.publicKey, askedMs, nowMs };
  const name = `the user authority of "${clusterName}"`;
  const problem =
    tlsCertificateProblem('the TLS certificate', tls, {
      ...expected,
      authority: { name, keys: own.flatMap(certificatesOf) },
    }) ??
    sshCertificateProblem('the SSH certificate', ssh, {
      ...expected,
      authority: { name, keys: own.flatMap(({ sshPublicKeys }) => sshPublicKeys) },
      type: 'user',
    }) ??
    wrongName(tls, ssh, request) ??
    wrongRoles(tls, request) ??
    wrongRoute(tls, request);
  if (problem !== undefined) throw credentialMismatch('the certificates', problem);
  const validities = [tlsValidity(tls), sshValidity(ssh)];
  const endsAtMs = Math.min(...validities.map((validity) => validity.endsAtMs));
  return {
    identity: {
      keyPair,
      sshCertificateLine: formatAuthorizedKey(splitKeyLine(certs.ssh, 'the SSH certificate')),
      tlsCertificatePem: tls.pem,
      roles: tls.subject.organizations,
      logins: usableLogins(ssh.principals),
      expiresAtMs: endsAtMs,
    },
    notices: [
      shortenedLifetime(askedMs, endsAtMs, 'max_session_ttl of the roles'),
      clockNotice(Math.max(...validities.map((validity) => validity.beginsAtMs)), nowMs),
    ].filter((notice) => notice !== undefined),
  };
}

function wrongName(
  { subject: { commonName } }: TlsCertificate,
  { keyId }: SshCertificate,
  { userName }: IdentityRequest,
): string | undefined {
  for (const [kind, name] of Object.entries({ TLS: commonName, SSH: keyId })) {
    if (name !== userName)
      return `the ${kind} certificate is for the user ${JSON.stringify(name)}, expected "${userName}"`;
  }
  return undefined;
}

function wrongRoles({ subject }: TlsCertificate, { roles }: IdentityRequest): string | undefined {
  const got = [...subject.organizations].sort();
  const requested = [...new Set(roles)].sort();
  if (got.length === requested.length && got.every((role, at) => role === requested[at])) return undefined;
  return `the TLS certificate has the roles ${got.join(', ')}, requested ${requested.join(', ')}`;
}

function wrongRoute({ subject }: TlsCertificate, { route }: IdentityRequest): string | undefined {
  for (const [oid, value] of routeAttributes(route)) {
    const [given = ''] = subject.byOid.get(oid) ?? [];
    if (given !== value) {
      return `the TLS certificate is routed to ${JSON.stringify(given)} (${oid}), requested "${value}"`;
    }
  }
  return undefined;
}

/** Parsed once for all outputs of a run: parsing takes longer than verifying a signature. */
const AUTHORITY_CERTIFICATES = new WeakMap<CertAuthority, readonly TlsCertificate[]>();

function certificatesOf(authority: CertAuthority): readonly TlsCertificate[] {
  const known = AUTHORITY_CERTIFICATES.get(authority);
  if (known !== undefined) return known;
  const certificates = authority.tlsCertificatesPem.map((pem) => readCertificate(pem));
  AUTHORITY_CERTIFICATES.set(authority, certificates);
  return certificates;
}

// Whether the lifetime is the requested one.

/** How much earlier than requested a credential may expire without a notice: clocks differ, and the request takes time. */
const TOLERANCE_MS = 60_000;

/**
 * @param limit what can shorten such a lifetime
 * @returns a sentence for the summary, or undefined when the lifetime is as requested
 */
export function shortenedLifetime(askedMs: number, givenMs: number, limit: string): string | undefined {
  if (givenMs >= askedMs - TOLERANCE_MS) return undefined;
  return `the cluster shortened the lifetime: requested until ${utcTime(askedMs)}, granted until ${utcTime(givenMs)} (${limit})`;
}

/** For credentials that another program requested: a sentence when they expire later than requested. */
export function lengthenedLifetime(askedMs: number, givenMs: number): string | undefined {
  if (givenMs <= askedMs + CLOCK_TOLERANCE_MS) return undefined;
  return `the lifetime is longer than requested: requested until ${utcTime(askedMs)}, granted until ${utcTime(givenMs)}`;
}

/**
 * @param what was requested: `the host certificate`
 * @param detail may quote the response
 */
export function credentialMismatch(what: string, detail: string): MachineIdError {
  return new MachineIdError('CERTIFICATE_MISMATCH', `rejected ${what} that the cluster returned: ${oneLine(detail)}`, {
    hint: "Check this runner's clock, and any proxy between this job and the cluster. The returned credentials were discarded.",
  });
}
