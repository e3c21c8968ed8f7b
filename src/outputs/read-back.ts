/** Reads back the credentials that tbot has written: they must belong together and be valid now. */
import type { KeyObject } from 'node:crypto';
import { usableLogins } from '../auth/logins.ts';
import { readRoute } from '../auth/route.ts';
import { readJwtClaims } from '../auth/svid.ts';
import { sshCertificateProblem, tlsCertificateProblem } from '../crypto/check-certificate.ts';
import { publicKeyInFile } from '../crypto/keys.ts';
import { parseSshCertificate, sshValidity } from '../crypto/ssh-certificate.ts';
import { validityProblem } from '../crypto/validity.ts';
import { readCertificate, splitCertificates } from '../crypto/x509.ts';
import { asMachineIdError, MachineIdError } from '../errors.ts';
import { botNameOf } from '../join/bot-identity.ts';
import { readStoredIdentity } from '../teleport/stored-identity.ts';
import type { Access, KubeconfigNames } from './result.ts';

export interface Credentials {
  readonly expiresAtMs: number;
  /** `undefined` if the files do not contain them. */
  readonly roles: readonly string[] | undefined;
  /** `undefined` if the files are not for ssh. */
  readonly logins: readonly string[] | undefined;
  readonly kubeconfig: KubeconfigNames | undefined;
  readonly bot: string | undefined;
  readonly access: Access | undefined;
  /** Sentences for the summary. */
  readonly notices?: readonly string[];
}

export interface CredentialFiles {
  /** By name; every file that the output must have. */
  readonly contents: ReadonlyMap<string, string>;
  readonly nowMs: number;
}

interface IdentityOnDisk {
  readonly credentials: Credentials;
  /** The users that the SSH certificate allows. */
  readonly logins: readonly string[];
  /** The resource that the TLS certificate is for. */
  readonly route: ReturnType<typeof readRoute>;
}

/** @throws MachineIdError TBOT_FAILED, whose message begins with the name of a file; so do the functions below */
export function readIdentity(files: CredentialFiles): IdentityOnDisk {
  const key = readFile('key', files, publicKeyInFile);
  const tls = readFile('tlscert', files, readCertificate);
  const ssh = readFile('key-cert.pub', files, (line) => parseSshCertificate(line.trimEnd()));
  const expected = expectedOf(key, files.nowMs);
  refuseFor(tlsCertificateProblem('tlscert', tls, expected));
  refuseFor(sshCertificateProblem('key-cert.pub', ssh, { ...expected, type: 'user' }));
  const stored = readFile('identity', files, readStoredIdentity);
  if (stored === undefined || readCertificate(stored.certificatePem).pem !== tls.pem) {
    throw fileFailure('identity', 'does not contain the certificate of tlscert');
  }
  return {
    credentials: {
      ...withExpiryOnly(Math.min(tls.notAfterMs, sshValidity(ssh).endsAtMs)),
      roles: tls.subject.organizations,
      bot: botNameOf(tls.subject),
    },
    logins: usableLogins(ssh.principals),
    route: readRoute(tls.subject.byOid),
  };
}

export function readHostCertificate(files: CredentialFiles): Credentials {
  const certificate = readFile('ssh_host-cert.pub', files, (line) => parseSshCertificate(line.trimEnd()));
  const key = readFile('ssh_host', files, publicKeyInFile);
  refuseFor(sshCertificateProblem('ssh_host-cert.pub', certificate, { ...expectedOf(key, files.nowMs), type: 'host' }));
  return withExpiryOnly(sshValidity(certificate).endsAtMs);
}

export function readX509Svid(files: CredentialFiles): Credentials {
  const key = readFile('svid_key.pem', files, publicKeyInFile);
  const certificate = readFile('svid.pem', files, (pem) => readCertificate(splitCertificates(pem)[0] ?? ''));
  refuseFor(tlsCertificateProblem('svid.pem', certificate, expectedOf(key, files.nowMs)));
  return withExpiryOnly(certificate.notAfterMs);
}

export function readJwtSvid(name: string, files: CredentialFiles): Credentials {
  const expiresAtMs = readFile(name, files, (jwt) => readJwtClaims(jwt.trimEnd())).exp * 1000;
  const expected = { askedMs: Infinity, nowMs: files.nowMs };
  refuseFor(validityProblem(name, { beginsAtMs: 0, endsAtMs: expiresAtMs }, expected));
  return withExpiryOnly(expiresAtMs);
}

export function withExpiryOnly(expiresAtMs: number): Credentials {
  return { expiresAtMs, roles: undefined, logins: undefined, kubeconfig: undefined, bot: undefined, access: undefined };
}

/** What `read` makes of a file, or TBOT_FAILED with the name of the file if it throws. */
export function readFile<T>(name: string, { contents }: CredentialFiles, read: (text: string) => T): T {
  try {
    return read(contents.get(name) ?? '');
  } catch (cause) {
    throw fileFailure(name, `cannot be used: ${asMachineIdError(cause).message}`);
  }
}

/** @param detail follows the name of the file in the message */
export function fileFailure(name: string, detail: string): MachineIdError {
  return failed(`${name} ${detail}`);
}

/** Any end is accepted: tbot has asked for the lifetime. */
function expectedOf(publicKey: KeyObject, nowMs: number) {
  return { publicKey, keyName: 'the one beside it', askedMs: Infinity, nowMs };
}

function refuseFor(problem: string | undefined): void {
  if (problem !== undefined) throw failed(problem);
}

function failed(message: string): MachineIdError {
  return new MachineIdError('TBOT_FAILED', message, { hint: 'See the output of tbot.' });
}
