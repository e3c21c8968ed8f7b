/** Asks for an output's certificates and checks that what came back is what was asked. */
import { type KeyPair, samePublicKey } from '../crypto/keys.ts';
import {
  parseSshCertificate,
  type SshCertificate,
  sshValidity,
  verifySshCertificate,
} from '../crypto/ssh-certificate.ts';
import { formatAuthorizedKey, splitKeyLine } from '../crypto/ssh-public-key.ts';
import { CLOCK_TOLERANCE_MS, clockNotice, utcTime, validityProblem } from '../crypto/validity.ts';
import { readCertificate, type TlsCertificate, tlsValidity } from '../crypto/x509.ts';
import type { Clock } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../net/network-error.ts';
import type { ServerVersion } from '../teleport/ping.ts';
import type { AuthApi, CertAuthority } from './auth-api.ts';
import { usableLogins } from './logins.ts';
import { type Route, routeAttributes } from './route.ts';

export interface IdentityRequest {
  readonly keyPair: KeyPair;
  readonly userName: string;
  /** The cluster that was joined. */
  readonly clusterName: string;
  /** The own cluster or a leaf. */
  readonly routeToCluster: string;
  /** Undefined for an identity that is good for the whole cluster. */
  readonly route?: Route | undefined;
  readonly roles: readonly string[];
  readonly ttlMs: number;
  readonly allowReissue: boolean;
  readonly serverVersion: ServerVersion;
}

export interface IssuedIdentity {
  readonly identity: Identity;
  /** Sentences for the summary: the certificates end earlier than asked, the clock is behind. */
  readonly notices: readonly string[];
}

/**
 * @param userAuthorities of the cluster that was joined: they must have signed both certificates
 * @throws MachineIdError CERTIFICATE_MISMATCH, RESPONSE_INVALID, or what the call throws
 */
export async function issueIdentity(
  api: AuthApi,
  request: IdentityRequest,
  { userAuthorities, clock }: { readonly userAuthorities: Promise<readonly CertAuthority[]>; readonly clock: Clock },
): Promise<IssuedIdentity> {
  const expiresAtMs = clock.nowMs() + request.ttlMs;
  const { keyPair, userName, roles, routeToCluster, route, allowReissue, serverVersion } = request;
  const [certs, authorities] = await Promise.all([
    api.generateUserCerts({
      keyPair,
      userName,
      roles,
      routeToCluster,
      route,
      expiresAtMs,
      allowReissue,
      serverVersion,
    }),
    userAuthorities,
  ]);
  const tls = readCertificate(certs.tls);
  const ssh = parseSshCertificate(certs.ssh);
  const own = authorities.filter(({ clusterName }) => clusterName === request.clusterName);
  checkTls(tls, request, own);
  checkSsh(ssh, request, own);
  const nowMs = clock.nowMs();
  const validities = { TLS: tlsValidity(tls), SSH: sshValidity(ssh) };
  for (const [kind, validity] of Object.entries(validities)) {
    const problem = validityProblem(`the ${kind} certificate`, validity, { askedMs: expiresAtMs, nowMs });
    if (problem !== undefined) throw mismatch(problem);
  }
  const { SSH, TLS } = validities;
  const endsAtMs = Math.min(SSH.endsAtMs, TLS.endsAtMs);
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
      shortenedLifetime(expiresAtMs, endsAtMs, 'max_session_ttl of the roles'),
      clockNotice(Math.max(SSH.beginsAtMs, TLS.beginsAtMs), nowMs),
    ].filter((notice) => notice !== undefined),
  };
}

function checkTls(tls: TlsCertificate, request: IdentityRequest, own: readonly CertAuthority[]): void {
  if (!samePublicKey(tls.publicKey, request.keyPair.publicKey))
    throw mismatch('the TLS certificate is for another key');
  if (!own.flatMap(certificatesOf).some((authority) => tls.isSignedBy(authority))) {
    throw mismatch(`the TLS certificate is not signed by the user authority of "${request.clusterName}"`);
  }
  if (tls.subject.commonName !== request.userName) {
    throw mismatch(
      `the TLS certificate is of ${JSON.stringify(tls.subject.commonName)}, expected "${request.userName}"`,
    );
  }
  const got = [...tls.subject.organizations].sort();
  const asked = [...new Set(request.roles)].sort();
  if (got.length !== asked.length || got.some((role, at) => role !== asked[at])) {
    throw mismatch(`the TLS certificate has the roles ${got.join(', ')}, asked for ${asked.join(', ')}`);
  }
  for (const [oid, value] of routeAttributes(request.route)) {
    const [given = ''] = tls.subject.byOid.get(oid) ?? [];
    if (given !== value) {
      throw mismatch(`the TLS certificate is routed to ${JSON.stringify(given)} (${oid}), asked for "${value}"`);
    }
  }
}

/** Of one authority, for all the outputs of a run: to read them takes longer than to check a signature. */
const AUTHORITY_CERTIFICATES = new WeakMap<CertAuthority, readonly TlsCertificate[]>();

function certificatesOf(authority: CertAuthority): readonly TlsCertificate[] {
  const known = AUTHORITY_CERTIFICATES.get(authority);
  if (known !== undefined) return known;
  const certificates = authority.tlsCertificatesPem.map((pem) => readCertificate(pem));
  AUTHORITY_CERTIFICATES.set(authority, certificates);
  return certificates;
}

function checkSsh(ssh: SshCertificate, request: IdentityRequest, own: readonly CertAuthority[]): void {
  if (!samePublicKey(ssh.publicKey, request.keyPair.publicKey))
    throw mismatch('the SSH certificate is for another key');
  const signer = formatAuthorizedKey(ssh.signatureKey);
  const trusted = own.some(({ sshPublicKeys }) => sshPublicKeys.includes(signer));
  if (!trusted || !verifySshCertificate(ssh)) {
    throw mismatch(`the SSH certificate is not signed by the user authority of "${request.clusterName}"`);
  }
  if (ssh.certificateType !== 'user' || ssh.keyId !== request.userName) {
    throw mismatch(
      `the SSH certificate is of the ${ssh.certificateType} ${JSON.stringify(ssh.keyId)}, expected the user "${request.userName}"`,
    );
  }
}

function mismatch(detail: string): MachineIdError {
  return credentialMismatch('the certificates', detail);
}

// The identity that an output holds: one key with its SSH and TLS certificate.

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

// Says when a cluster gave a shorter lifetime than asked.

/** How much earlier than asked a credential may end without a word: clocks and the request's own way. */
const TOLERANCE_MS = 60_000;

/**
 * @param limit what shortens such a lifetime
 * @returns a sentence for the summary, or undefined when the lifetime is as asked
 */
export function shortenedLifetime(askedMs: number, givenMs: number, limit: string): string | undefined {
  if (givenMs >= askedMs - TOLERANCE_MS) return undefined;
  return `the cluster shortened the lifetime: asked until ${utcTime(askedMs)}, given until ${utcTime(givenMs)} (${limit})`;
}

/** For credentials that another program has asked for: a sentence when they end later than asked. */
export function lengthenedLifetime(askedMs: number, givenMs: number): string | undefined {
  if (givenMs <= askedMs + CLOCK_TOLERANCE_MS) return undefined;
  return `they live longer than asked: asked until ${utcTime(askedMs)}, given until ${utcTime(givenMs)}`;
}

// Refuses credentials that are not what was asked for.

/**
 * @param what was asked for: `the host certificate`
 * @param detail may quote what came
 */
export function credentialMismatch(what: string, detail: string): MachineIdError {
  return new MachineIdError('CERTIFICATE_MISMATCH', `what came back as ${what} was not accepted: ${oneLine(detail)}`, {
    hint: 'Check the clock of this runner and what lies between this job and the cluster; the credentials of this answer were thrown away.',
  });
}
