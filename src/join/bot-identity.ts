/** The bot's own identity, and the verification of what a join returned. */
import { sshCertificateProblem, tlsCertificateProblem } from '../crypto/check-certificate.ts';
import type { KeyPair } from '../crypto/keys.ts';
import { parseSshCertificate, sshValidity } from '../crypto/ssh-certificate.ts';
import { clockNotice, type ValidityExpectation } from '../crypto/validity.ts';
import { type DistinguishedName, readCertificate, type TlsCertificate } from '../crypto/x509.ts';
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../net/network-error.ts';
import { scopeOf, SCOPES_HINT } from '../teleport/names.ts';

/** What a join returns, not yet verified. */
export interface JoinedCertificates {
  /** PEM. */
  readonly tlsCertificate: string;
  /** One PEM block each. */
  readonly tlsAuthorities: readonly string[];
  /** `<type> <base64>`. */
  readonly sshCertificate: string;
}

export interface BotIdentity {
  readonly keyPair: KeyPair;
  readonly tlsCertificatePem: string;
  /**
   * Authorities that may sign the certificates of the cluster's own services, one PEM block each: for the first connection,
   * after which the cluster says which are its host authorities.
   */
  readonly hostAuthorities: readonly string[];
  readonly clusterName: string;
  /** The Teleport user behind the bot: `bot-<bot name>`. */
  readonly userName: string;
  readonly botName: string;
  readonly botInstanceId: string | undefined;
  readonly expiresAtMs: number;
  /** A sentence when the clock of this machine is behind. */
  readonly clockNotice: string | undefined;
}

/** Teleport's own object identifiers in a certificate's subject. */
const OID_BOT_NAME = '1.3.9999.2.18';
const OID_BOT_INSTANCE_ID = '1.3.9999.2.20';
/** A UUID; it becomes part of commands and queries. */
const INSTANCE_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const BOT_USER_PREFIX = 'bot-';

/**
 * Accepts the certificates when they are for our key, from the expected cluster, for a bot, valid now and no longer than
 * requested.
 * @throws MachineIdError CERTIFICATE_MISMATCH, RESPONSE_INVALID, CLUSTER_UNSUPPORTED for a scoped bot
 */
export function acceptJoin(
  joined: JoinedCertificates,
  expected: ValidityExpectation & { readonly keyPair: KeyPair; readonly clusterName: string },
): BotIdentity {
  const tls = readCertificate(joined.tlsCertificate);
  const ssh = parseSshCertificate(joined.sshCertificate);
  const { keyPair, clusterName, ...times } = expected;
  const { publicKey } = keyPair;
  const problem =
    tlsCertificateProblem('the TLS certificate', tls, { ...times, publicKey }) ??
    sshCertificateProblem('the SSH certificate', ssh, { ...times, publicKey, type: 'user' });
  if (problem !== undefined) throw mismatch(problem);
  const scope = scopeOf(ssh.extensions);
  if (scope !== undefined) throw scopedBot(scope);
  if (!tls.issuer.organizations.includes(clusterName)) {
    throw mismatch(
      `the TLS certificate is from the cluster ${JSON.stringify(tls.issuer.organizations.join(', '))}, expected "${clusterName}"`,
    );
  }
  const { userName, botName } = botNames(tls);
  if (ssh.keyId !== userName) {
    throw mismatch(`the SSH certificate is for ${JSON.stringify(ssh.keyId)}, the TLS certificate for "${userName}"`);
  }
  return {
    keyPair,
    tlsCertificatePem: tls.pem,
    hostAuthorities: possibleHostAuthorities(joined, tls, clusterName),
    clusterName,
    userName,
    botName,
    botInstanceId: tls.subject.byOid.get(OID_BOT_INSTANCE_ID)?.find((id) => INSTANCE_ID.test(id)),
    expiresAtMs: tls.notAfterMs,
    clockNotice: clockNotice(Math.max(tls.notBeforeMs, sshValidity(ssh).beginsAtMs), times.nowMs),
  };
}

/**
 * The response contains the host and the user authorities of the cluster, all under one name and with nothing that
 * distinguishes them (protocol reference 2.3, 6.3). The one that signed the bot's own certificate must not vouch for servers.
 * OpenSSL would also send a trusted one along with the client certificate, which the Auth Service refuses ("intermediaries are
 * not supported"). During a rotation, or with hardware security modules, there are further user authorities: those remain, but
 * sign no certificate with the name of the Auth Service, which is checked.
 */
function possibleHostAuthorities(
  { tlsAuthorities }: JoinedCertificates,
  own: TlsCertificate,
  clusterName: string,
): string[] {
  const authorities = tlsAuthorities.map((pem) => readCertificate(pem)).filter(({ isAuthority }) => isAuthority);
  const others = authorities.filter((authority) => !own.isSignedBy(authority));
  // Without a signature by one of them, the user authority could not be distinguished from the host authority.
  if (authorities.length > 0 && others.length === authorities.length) {
    throw mismatch('none of the returned authorities signed the TLS certificate');
  }
  const hosts = others.filter(({ subject }) => subject.organizations.includes(clusterName));
  if (hosts.length === 0) throw mismatch('the response contains no authority for the Auth Service');
  return hosts.map(({ pem }) => pem);
}

/** From the subject of a certificate: the bot's own, or one that was issued to the bot. */
export function botNameOf({ byOid }: Pick<DistinguishedName, 'byOid'>): string | undefined {
  return byOid.get(OID_BOT_NAME)?.[0];
}

function botNames({ subject }: TlsCertificate): { userName: string; botName: string } {
  const userName = subject.commonName ?? '';
  const botName = botNameOf(subject) ?? '';
  if (!userName.startsWith(BOT_USER_PREFIX) || botName === '') {
    throw mismatch(`the TLS certificate is for the user ${JSON.stringify(userName)}, expected a bot`);
  }
  return { userName, botName };
}

/** Refused here, so that no call is made with an identity that the cluster's other services refuse. */
function scopedBot(scope: string): MachineIdError {
  return new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    `the join token is for a scoped bot, which is not supported: its certificates are bound to ${oneLine(scope)}`,
    { hint: SCOPES_HINT },
  );
}

function mismatch(detail: string): MachineIdError {
  return new MachineIdError(
    'CERTIFICATE_MISMATCH',
    `rejected the certificates that the join returned: ${oneLine(detail)}`,
    {
      hint: "Check this runner's clock, and any proxy between this job and the cluster. The returned credentials were discarded.",
    },
  );
}
