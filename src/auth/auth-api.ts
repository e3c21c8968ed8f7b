/** The calls that a bot makes to the Auth Service, with responses as values. */
import type { KeyObject } from 'node:crypto';
import { type KeyPair, publicKeyPem } from '../crypto/keys.ts';
import { formatAuthorizedKey, parseAuthorizedKey, sshPublicKey } from '../crypto/ssh-public-key.ts';
import { readCertificate, splitCertificates } from '../crypto/x509.ts';
import { MachineIdError } from '../errors.ts';
import type { GrpcConnection } from '../grpc/client.ts';
import { AuthService, type PaginatedResource } from '../grpc/gen/teleport/legacy/authservice_pb.ts';
import type { CAKeySet, CertAuthorityV2 } from '../grpc/gen/teleport/legacy/types_pb.ts';
import { TrustService } from '../grpc/gen/teleport/trust/v1/trust_service_pb.ts';
import { durationFromMs, timestampFromMs } from '../grpc/protobuf-values.ts';
import { oneLine } from '../net/network-error.ts';
import { isClusterName } from '../teleport/names.ts';
import { parseServerVersion, type ServerVersion } from '../teleport/ping.ts';
import { authCaller, type AuthCallOptions, type Refusals } from '../teleport/auth-call.ts';
import { type Route, routeFields } from './route.ts';

/** Every call throws MachineIdError: ROLE_DENIED, AUTH_DENIED, AUTH_UNREACHABLE, RPC_FAILED, RESPONSE_INVALID, TIMEOUT. */
export interface AuthApi {
  serverVersion(): Promise<ServerVersion>;
  /** The roles that the role `name` may impersonate. */
  impersonatedRoles(name: string): Promise<readonly string[]>;
  generateUserCerts(request: IdentityRequest): Promise<UserCerts>;
  /** The text of an SSH host certificate as the server sent it, still to be checked. */
  generateHostCert(request: HostCertParams): Promise<string>;
  /** Own cluster and the leaves whose authorities can be used, without private keys. */
  certAuthorities(type: AuthorityType): Promise<readonly CertAuthority[]>;
  /** Every page of the resources of one type that match, as the caller may see them. */
  listResources(query: ResourceQuery): Promise<readonly PaginatedResource[]>;
  /** The id of a session with an application, for servers that do not create one when they issue certificates. */
  createAppSession(request: AppSessionParams): Promise<string>;
}

/** What is requested from the cluster, and then compared with the certificates that it returns. */
export interface IdentityRequest {
  readonly keyPair: KeyPair;
  /** The caller's own Teleport user. */
  readonly userName: string;
  /** The cluster that was joined. */
  readonly clusterName: string;
  /** The own cluster or a leaf. */
  readonly routeToCluster: string;
  /** Undefined for an identity that is good for the whole cluster. */
  readonly route: Route | undefined;
  readonly roles: readonly string[];
  readonly expiresAtMs: number;
  /** Whether the identity may request further certificates. */
  readonly allowReissue: boolean;
  readonly serverVersion: ServerVersion;
}

/** Text of the two certificates as the server sent it, still to be checked. */
interface UserCerts {
  readonly ssh: string;
  readonly tls: string;
}

interface HostCertParams {
  readonly publicKey: KeyObject;
  readonly principals: readonly string[];
  /** The own cluster. */
  readonly clusterName: string;
  readonly ttlMs: number;
}

export type AuthorityType = 'host' | 'user' | 'db' | 'openssh' | 'spiffe';

/** One cluster's authority of one type, with the keys that are trusted now (active first, then additional ones). */
export interface CertAuthority {
  readonly clusterName: string;
  /** One PEM block each, ending with a newline. */
  readonly tlsCertificatesPem: readonly string[];
  /** `<ssh-type> <base64>` each, without comment or newline. */
  readonly sshPublicKeys: readonly string[];
}

/** In the order of the response. */
export interface Authorities {
  readonly host: readonly CertAuthority[];
  readonly user: readonly CertAuthority[];
  readonly database: readonly CertAuthority[];
}

export interface AppSessionParams {
  /** The caller's own Teleport user. */
  readonly userName: string;
  readonly publicAddress: string;
  readonly clusterName: string;
}

export interface ResourceQuery {
  readonly resourceType: 'db_server' | 'app_server' | 'kube_server';
  /** Teleport's predicate language; empty for all. */
  readonly predicate: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** More pages than any cluster has for one selector: a limit for a server that never stops. */
const MAX_PAGES = 50;
const PAGE_SIZE = 500;

/** Earlier servers read one key for both certificates, later ones a key for each. */
export const FIRST_MAJOR_WITH_SEPARATE_KEYS = 17;

interface AuthApiOptions extends AuthCallOptions {
  /** The cluster that was joined. */
  readonly clusterName: string;
  /** Called with the name of a leaf cluster, as the server sent it, and the reason. */
  readonly onSkippedLeaf: (leaf: string, reason: string) => void;
}

export function authApi(connection: GrpcConnection, options: AuthApiOptions): AuthApi {
  const call = authCaller(options);
  return {
    serverVersion: async () => {
      const { serverVersion } = await call('Ping', (at) => connection.call(AuthService.ping, {}, at));
      return parseServerVersion(serverVersion) ?? unreadableVersion(serverVersion);
    },
    impersonatedRoles: async (name) => {
      const role = await call('GetRole', (at) => connection.call(AuthService.getRole, { name }, at));
      return role.spec?.allow?.impersonate?.roles ?? [];
    },
    generateUserCerts: async (request) => {
      const certs = await call('GenerateUserCerts', (at) =>
        connection.call(AuthService.generateUserCerts, userCertsRequest(request), at),
      );
      return { ssh: Buffer.from(certs.ssh).toString('utf8').trim(), tls: Buffer.from(certs.tls).toString('utf8') };
    },
    generateHostCert: async (params) => {
      const request = hostCertRequest(params);
      const response = await call(
        'GenerateHostCert',
        (at) => connection.call(TrustService.generateHostCert, request, at),
        HOST_CERT_REFUSALS,
      );
      return Buffer.from(response.sshCertificate).toString('utf8').trim();
    },
    certAuthorities: async (type) => {
      const response = await call('GetCertAuthorities', (at) =>
        connection.call(TrustService.getCertAuthorities, { type, includeKey: false }, at),
      );
      return readAuthorities(response.certAuthoritiesV2, options.clusterName, options.onSkippedLeaf);
    },
    createAppSession: async ({ userName: username, publicAddress: publicAddr, clusterName }) => {
      const request = { username, publicAddr, clusterName };
      const { session } = await call('CreateAppSession', (at) =>
        connection.call(AuthService.createAppSession, request, at),
      );
      return session?.metadata?.name ?? '';
    },
    listResources: async ({ resourceType, predicate, labels = {} }) => {
      const found: PaginatedResource[] = [];
      let startKey = '';
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const request = {
          resourceType,
          namespace: 'default',
          limit: PAGE_SIZE,
          startKey,
          labels,
          predicateExpression: predicate,
        };
        const { resources, nextKey } = await call('ListResources', (at) =>
          connection.call(AuthService.listResources, request, at),
        );
        found.push(...resources);
        if (nextKey === '') break;
        startKey = nextKey;
      }
      return found;
    },
  };
}

function userCertsRequest(request: IdentityRequest) {
  const { publicKey } = request.keyPair;
  const sshLine = Buffer.from(`${formatAuthorizedKey(sshPublicKey(publicKey))}\n`);
  const keys =
    request.serverVersion.major < FIRST_MAJOR_WITH_SEPARATE_KEYS
      ? { publicKey: sshLine }
      : { sshPublicKey: sshLine, tlsPublicKey: Buffer.from(publicKeyPem(publicKey)) };
  return {
    ...keys,
    username: request.userName,
    expires: timestampFromMs(request.expiresAtMs),
    routeToCluster: request.routeToCluster,
    ...routeFields(request.route),
    roleRequests: [...request.roles],
    useRoleRequests: true,
    reissuableRoleImpersonation: request.allowReissue,
  };
}

/** Without host id and node name, so that the certificate has only the requested principals. */
function hostCertRequest({ publicKey, principals, clusterName, ttlMs }: HostCertParams) {
  return {
    key: Buffer.from(`${formatAuthorizedKey(sshPublicKey(publicKey))}\n`),
    principals: [...principals],
    clusterName,
    role: 'Node',
    ttl: durationFromMs(ttlMs),
  };
}

const HOST_CERT_REFUSALS: Refusals = new Map([
  [
    'PermissionDenied',
    {
      code: 'AUTH_DENIED',
      message: (said) => `the Auth Service refused a host certificate: ${said}`,
      hint: 'A role of the output must have a rule with the verb create on host_cert; its "where", if it has one, must allow these principals.',
    },
  ],
]);

function unreadableVersion(text: string): never {
  throw new MachineIdError(
    'RESPONSE_INVALID',
    `the Auth Service reports its version as ${JSON.stringify(oneLine(text))}`,
    {
      hint: 'Check that the address is that of a Teleport cluster, version 15.3.7 or later.',
    },
  );
}

// Reads a certificate authority from the server's message.

/**
 * Skips the authority of a leaf cluster that cannot be used: it must not fail the jobs of its root cluster.
 * @param own the cluster that was joined, whose authorities must be usable
 * @param onSkipped called with the name of each skipped leaf cluster, as the server sent it, and the reason
 * @throws MachineIdError RESPONSE_INVALID
 */
function readAuthorities(
  messages: readonly CertAuthorityV2[],
  own: string,
  onSkipped: (leaf: string, reason: string) => void,
): readonly CertAuthority[] {
  const authorities = messages.flatMap((message) => {
    const name = message.spec?.clusterName ?? '';
    try {
      return [readAuthority(message, name)];
    } catch (error) {
      if (name === own || !(error instanceof MachineIdError)) throw error;
      onSkipped(name, error.message);
      return [];
    }
  });
  if (authorities.some(({ clusterName }) => clusterName === own)) return authorities;
  throw new MachineIdError('RESPONSE_INVALID', `the cluster sent no certificate authority of "${own}" itself`, {
    hint: 'Run the job again; if it happens again, inspect the authorities with "tctl get cert_authorities".',
  });
}

/** During a rotation both the active and the additional keys are trusted, active first. */
function readAuthority({ spec }: CertAuthorityV2, clusterName: string): CertAuthority {
  if (spec === undefined || !isClusterName(clusterName)) {
    throw new MachineIdError('RESPONSE_INVALID', 'its certificate authority has no usable cluster name', {
      hint: 'Inspect the authorities with "tctl get cert_authorities".',
    });
  }
  const keySets = [spec.activeKeys, spec.additionalTrustedKeys].filter((keys) => keys !== undefined);
  return { clusterName, tlsCertificatesPem: keySets.flatMap(tlsCertificates), sshPublicKeys: keySets.flatMap(sshKeys) };
}

function tlsCertificates({ tls }: CAKeySet): string[] {
  return tls
    .flatMap(({ cert }) => splitCertificates(Buffer.from(cert).toString('utf8')))
    .map((pem) => readCertificate(pem).pem);
}

/** Without comments: these lines go into files of other programs. */
function sshKeys({ ssh }: CAKeySet): string[] {
  return ssh.map(({ publicKey }) =>
    formatAuthorizedKey(parseAuthorizedKey(Buffer.from(publicKey).toString('utf8').trim())),
  );
}
