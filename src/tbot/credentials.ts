/** Reads the credentials that tbot has written, once they are proven to belong together and to be in time. */
import type { KeyObject } from 'node:crypto';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { usableLogins } from '../auth/logins.ts';
import { readRoute } from '../auth/route.ts';
import { readJwtClaims } from '../auth/svid.ts';
import { sshCertificateProblem, tlsCertificateProblem } from '../crypto/check-certificate.ts';
import { publicKeyInFile } from '../crypto/keys.ts';
import { parseSshCertificate, sshValidity } from '../crypto/ssh-certificate.ts';
import { validityProblem } from '../crypto/validity.ts';
import { readCertificate, splitCertificates, type TlsCertificate } from '../crypto/x509.ts';
import { asMachineIdError, MachineIdError } from '../errors.ts';
import { botNameOf } from '../join/bot-identity.ts';
import type { Access, KubeconfigNames } from '../outputs/journal.ts';
import type { SupportedOutput } from '../outputs/types.ts';
import { readStoredIdentity } from '../teleport/stored-identity.ts';

export interface Credentials {
  readonly expiresAtMs: number;
  /** Undefined where the files do not tell. */
  readonly roles: readonly string[] | undefined;
  /** Undefined where the files are not for ssh. */
  readonly logins: readonly string[] | undefined;
  readonly kubeconfig: KubeconfigNames | undefined;
  readonly bot: string | undefined;
  readonly access: Access | undefined;
}

export interface CredentialFiles {
  /** By name; every file that the output must have. */
  readonly contents: ReadonlyMap<string, string>;
  readonly nowMs: number;
}

type IdentityOutput = SupportedOutput<'identity' | 'application' | 'database' | 'kubernetes' | 'kubernetes/v2'>;

/** @throws MachineIdError TBOT_FAILED, whose message begins with a file's name */
export function readCredentials(output: SupportedOutput, files: CredentialFiles): Credentials {
  switch (output.type) {
    case 'identity':
    case 'application':
    case 'database':
    case 'kubernetes':
    case 'kubernetes/v2':
      return identityCredentials(output, files);
    case 'ssh_host':
      return hostCredentials(files);
    case 'spiffe-svid':
      return earliest([svidCredentials(files), ...output.jwts.map(({ fileName }) => jwtCredentials(fileName, files))]);
    case 'workload-identity-x509':
      return svidCredentials(files);
    case 'workload-identity-jwt':
      return jwtCredentials('jwt_svid', files);
    case 'workload-identity-aws-roles-anywhere':
      return awsCredentials(output, files);
    default:
      return output satisfies never;
  }
}

function identityCredentials(output: IdentityOutput, files: CredentialFiles): Credentials {
  if (output.type === 'kubernetes/v2') requireClusters(files);
  const key = inFile('key', files, publicKeyInFile);
  const tls = inFile('tlscert', files, readCertificate);
  const ssh = inFile('key-cert.pub', files, (line) => parseSshCertificate(line.trimEnd()));
  const expected = expectedOf(key, files.nowMs);
  refuse(tlsCertificateProblem('tlscert', tls, expected));
  refuse(sshCertificateProblem('key-cert.pub', ssh, { ...expected, type: 'user' }));
  const stored = inFile('identity', files, readStoredIdentity);
  if (stored === undefined || readCertificate(stored.certificatePem).pem !== tls.pem) {
    throw fileFailure('identity', 'does not hold the certificate of tlscert');
  }
  return {
    expiresAtMs: Math.min(tls.notAfterMs, sshValidity(ssh).endsAtMs),
    roles: tls.subject.organizations,
    logins: output.type === 'identity' ? usableLogins(ssh.principals) : undefined,
    kubeconfig: isKubernetes(output) ? inFile('kubeconfig.yaml', files, kubeconfigNames) : undefined,
    bot: botNameOf(tls.subject),
    access: accessOf(output, tls),
  };
}

function isKubernetes({ type }: IdentityOutput): boolean {
  return type === 'kubernetes' || type === 'kubernetes/v2';
}

const Named = z.object({ name: z.string() });
const Kubeconfig = z.object({ contexts: z.array(Named), users: z.tuple([Named], Named) });

function kubeconfigNames(text: string): KubeconfigNames | undefined {
  const { data } = z.safeParse(Kubeconfig, parse(text));
  return data && { contexts: data.contexts.map(({ name }) => name), user: data.users[0].name };
}

/** tbot takes no offence at selectors that fit nothing, and no step can use what it writes then. */
function requireClusters({ contents }: CredentialFiles): void {
  if (!/^contexts: *(?:null|\[\])? *$(?!\n\s*-)/m.test(contents.get('kubeconfig.yaml') ?? '')) return;
  throw fileFailure(
    'kubeconfig.yaml',
    'has no cluster: none fits a selector of the output; labels are compared literally, so that "*" is not a wildcard',
  );
}

/** A certificate for the whole cluster opens no database and no application. */
function accessOf(output: IdentityOutput, { subject }: TlsCertificate): Access | undefined {
  const route = readRoute(subject.byOid);
  if (output.type === 'database') {
    if (route?.kind !== 'database') throw fileFailure('tlscert', 'is for no database');
    const { database, protocol, serviceName: name, username } = route;
    return { kind: 'database', name, protocol, user: username || undefined, database: database || undefined };
  }
  if (output.type === 'application') {
    if (route?.kind !== 'application' || route.name !== output.appName) {
      throw fileFailure('tlscert', `is not for the application ${output.appName}`);
    }
    return { kind: 'application', name: route.name, address: route.publicAddress };
  }
  if (output.type === 'kubernetes' && route?.kind !== 'kubernetes')
    throw fileFailure('tlscert', 'is for no Kubernetes cluster');
  return undefined;
}

function hostCredentials(files: CredentialFiles): Credentials {
  const certificate = inFile('ssh_host-cert.pub', files, (line) => parseSshCertificate(line.trimEnd()));
  const key = inFile('ssh_host', files, publicKeyInFile);
  refuse(sshCertificateProblem('ssh_host-cert.pub', certificate, { ...expectedOf(key, files.nowMs), type: 'host' }));
  return withExpiryOnly(sshValidity(certificate).endsAtMs);
}

function svidCredentials(files: CredentialFiles): Credentials {
  const key = inFile('svid_key.pem', files, publicKeyInFile);
  const certificate = inFile('svid.pem', files, (pem) => readCertificate(splitCertificates(pem)[0] ?? ''));
  refuse(tlsCertificateProblem('svid.pem', certificate, expectedOf(key, files.nowMs)));
  return withExpiryOnly(certificate.notAfterMs);
}

function jwtCredentials(name: string, files: CredentialFiles): Credentials {
  const expiresAtMs = inFile(name, files, (jwt) => readJwtClaims(jwt.trimEnd())).exp * 1000;
  refuse(validityProblem(name, { beginsAtMs: 0, endsAtMs: expiresAtMs }, { askedMs: Infinity, nowMs: files.nowMs }));
  return withExpiryOnly(expiresAtMs);
}

/** The file names no time that every version writes alike; the session is as long as was asked, or AWS refuses it. */
function awsCredentials(
  {
    artifactName,
    credentialProfileName: profile,
    roleArn,
    sessionDurationMs,
  }: SupportedOutput<'workload-identity-aws-roles-anywhere'>,
  files: CredentialFiles,
): Credentials {
  const lines = (files.contents.get(artifactName) ?? '').split('\n').map((line) => line.trim());
  if (!lines.includes(`[${profile}]`)) throw fileFailure(artifactName, `holds no profile ${profile}`);
  const access = { kind: 'aws', role: roleArn, profile } as const;
  return { ...withExpiryOnly(files.nowMs + sessionDurationMs), access };
}

/** tbot has asked for the lifetime. */
function expectedOf(publicKey: KeyObject, nowMs: number) {
  return { publicKey, keyName: 'the one beside it', askedMs: Infinity, nowMs };
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw failed(problem);
}

function withExpiryOnly(expiresAtMs: number): Credentials {
  return { expiresAtMs, roles: undefined, logins: undefined, kubeconfig: undefined, bot: undefined, access: undefined };
}

function earliest([first, ...others]: readonly [Credentials, ...Credentials[]]): Credentials {
  return { ...first, expiresAtMs: Math.min(first.expiresAtMs, ...others.map(({ expiresAtMs }) => expiresAtMs)) };
}

function inFile<T>(name: string, { contents }: CredentialFiles, read: (text: string) => T): T {
  try {
    return read(contents.get(name) ?? '');
  } catch (cause) {
    throw fileFailure(name, `cannot be used: ${asMachineIdError(cause).message}`);
  }
}

function fileFailure(name: string, detail: string): MachineIdError {
  return failed(`${name} ${detail}`);
}

function failed(message: string): MachineIdError {
  return new MachineIdError('TBOT_FAILED', message, { hint: 'See what tbot said.' });
}
