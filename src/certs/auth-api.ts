/** The calls that a bot makes at the Auth Service, with answers as values. */
import { Code, createClient } from '@connectrpc/connect';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { withDeadline } from '../effects/deadline.ts';
import { MachineIdError } from '../errors.ts';
import { type KeyPair, publicKeyPem } from '../crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../crypto/ssh-public-key.ts';
import { type Address, formatAddress } from '../teleport/address.ts';
import { authFailure } from '../teleport/failures.ts';
import { AuthService, type PaginatedResource } from '../teleport/gen/teleport/legacy/authservice_pb.ts';
import type { CertAuthorityV2 } from '../teleport/gen/teleport/legacy/types_pb.ts';
import { TrustService } from '../teleport/gen/teleport/trust/v1/trust_service_pb.ts';
import { asGrpcError, type GrpcConnection } from '../teleport/grpc.ts';
import { oneLine } from '../teleport/trace-error.ts';
import { parseServerVersion, type ServerVersion } from '../teleport/version.ts';
import { readAuthority } from './authority-reader.ts';
import { type Route, routeFields } from './route.ts';
import type { CertAuthority } from './authorities.ts';

export type AuthorityType = 'host' | 'user' | 'db';

export interface UserCertsQuestion {
  readonly keyPair: KeyPair;
  /** The caller's own Teleport user. */
  readonly userName: string;
  readonly roles: readonly string[];
  /** The own cluster or a leaf. */
  readonly routeToCluster: string;
  readonly route: Route | undefined;
  readonly expiresAtMs: number;
  readonly allowReissue: boolean;
  readonly serverVersion: ServerVersion;
}

/** Text of the two certificates as the server sent it, still to be checked. */
export interface UserCerts {
  readonly ssh: string;
  readonly tls: string;
}

/** Every call throws MachineIdError: ROLE_DENIED, AUTH_DENIED, AUTH_UNREACHABLE, RPC_FAILED, REPLY_INVALID, TIMEOUT. */
export interface AuthApi {
  serverVersion(): Promise<ServerVersion>;
  /** The roles that the role `name` may impersonate. */
  impersonatedRoles(name: string): Promise<readonly string[]>;
  generateUserCerts(question: UserCertsQuestion): Promise<UserCerts>;
  /** Own cluster and leaves, without private keys. */
  certAuthorities(type: AuthorityType): Promise<readonly CertAuthority[]>;
  /** Every page of the resources of one type that match, as the caller may see them. */
  listResources(query: ResourceQuery): Promise<readonly PaginatedResource[]>;
}

export interface ResourceQuery {
  readonly resourceType: 'db_server' | 'app_server' | 'kube_server';
  /** Teleport's predicate language; empty for all. */
  readonly predicate: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface AuthApiOptions {
  readonly address: Address;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** More pages than any cluster's answer to one selector has; a server that never ends is cut off. */
const MOST_PAGES = 50;
const PAGE_SIZE = 500;

/** Servers before it read one key for both certificates, later ones a key for each. */
const FIRST_MAJOR_WITH_SEPARATE_KEYS = 17;

export function authApi({ transport }: GrpcConnection, options: AuthApiOptions): AuthApi {
  const auth = createClient(AuthService, transport);
  const trust = createClient(TrustService, transport);
  const call = <T>(name: string, work: (options: { signal: AbortSignal }) => Promise<T>) =>
    callAuth(name, options, work);
  return {
    serverVersion: async () => {
      const { serverVersion } = await call('Ping', (at) => auth.ping({}, at));
      return parseServerVersion(serverVersion) ?? unreadableVersion(serverVersion);
    },
    impersonatedRoles: async (name) => {
      const role = await call('GetRole', (at) => auth.getRole({ name }, at));
      return role.spec?.allow?.impersonate?.roles ?? [];
    },
    generateUserCerts: async (question) => {
      const certs = await call('GenerateUserCerts', (at) => auth.generateUserCerts(userCertsRequest(question), at));
      return { ssh: Buffer.from(certs.ssh).toString('utf8').trim(), tls: Buffer.from(certs.tls).toString('utf8') };
    },
    certAuthorities: async (type) => {
      const answer = await call('GetCertAuthorities', (at) =>
        trust.getCertAuthorities({ type, includeKey: false }, at),
      );
      return answer.certAuthoritiesV2.map((authority: CertAuthorityV2) => readAuthority(authority));
    },
    listResources: async ({ resourceType, predicate, labels = {} }) => {
      const found: PaginatedResource[] = [];
      let startKey = '';
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const request = {
          resourceType,
          namespace: 'default',
          limit: PAGE_SIZE,
          startKey,
          labels,
          predicateExpression: predicate,
        };
        const { resources, nextKey } = await call('ListResources', (at) => auth.listResources(request, at));
        found.push(...resources);
        if (nextKey === '') break;
        startKey = nextKey;
      }
      return found;
    },
  };
}

function userCertsRequest(question: UserCertsQuestion) {
  const sshLine = Buffer.from(`${formatAuthorizedKey(sshPublicKey(question.keyPair.publicKey))}\n`);
  const keys =
    question.serverVersion.major < FIRST_MAJOR_WITH_SEPARATE_KEYS
      ? { publicKey: sshLine }
      : { sshPublicKey: sshLine, tlsPublicKey: Buffer.from(publicKeyPem(question.keyPair.publicKey)) };
  return {
    ...keys,
    username: question.userName,
    expires: timestampFromMs(question.expiresAtMs),
    format: 'standard',
    routeToCluster: question.routeToCluster,
    ...routeFields(question.route),
    roleRequests: [...question.roles],
    useRoleRequests: true,
    reissuableRoleImpersonation: question.allowReissue,
  };
}

async function callAuth<T>(
  name: string,
  { address, timeoutMs, signal: outer }: AuthApiOptions,
  work: (options: { signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const waitingFor = `${name} at the Auth Service behind ${formatAddress(address)}`;
  return withDeadline({ waitingFor, timeoutMs, signal: outer }, async (signal) => {
    try {
      return await work({ signal });
    } catch (error) {
      signal.throwIfAborted();
      throw callFailure(name, address, error);
    }
  });
}

function callFailure(name: string, address: Address, cause: unknown): MachineIdError {
  const grpc = asGrpcError(cause);
  if (grpc === undefined || isBrokenConnection(grpc.code, grpc.cause)) return authFailure(address, cause);
  const said = oneLine(grpc.rawMessage);
  if (said.includes('role impersonation') || (name === 'GenerateUserCerts' && grpc.code === Code.NotFound)) {
    return new MachineIdError('ROLE_DENIED', `the bot may not have the roles that were asked for: ${said}`, {
      hint: 'Compare roles in tbot.yaml with spec.roles of the bot ("tctl get bot/NAME"); leave roles out to get all that the bot may have.',
      cause,
    });
  }
  if (grpc.code === Code.PermissionDenied || grpc.code === Code.Unauthenticated) {
    return new MachineIdError('AUTH_DENIED', `the Auth Service refused ${name}: ${said}`, {
      hint: 'Check that the bot and its roles still exist and are not locked ("tctl get bots", "tctl get locks").',
      cause,
    });
  }
  // What the gRPC client says of a message that is none of this method's; no status of the server reads so.
  if (grpc.code === Code.Internal && grpc.rawMessage.startsWith('parse binary:')) {
    return new MachineIdError('REPLY_INVALID', `the answer to ${name} cannot be read: ${said}`, {
      hint: 'Run the job again; if it stays, report the version of the cluster: its answer differs from the known ones.',
      cause,
    });
  }
  if (grpc.code === Code.ResourceExhausted && said.includes('larger than configured')) {
    return new MachineIdError('REPLY_TOO_LARGE', `the answer to ${name} is larger than accepted: ${said}`, {
      hint: 'Check that the address is the one of a Teleport cluster.',
      cause,
    });
  }
  return new MachineIdError('RPC_FAILED', `${name} failed at the Auth Service: ${said}`, {
    hint: 'Run the job again; if it stays, look into the log of the Auth Service at this time.',
    cause,
  });
}

/** A connection that broke has Node's error as its cause, or cancels its calls; an answer of the server does neither. */
function isBrokenConnection(code: Code, cause: unknown): boolean {
  return code === Code.Canceled || (cause instanceof Error && CONNECTION_CODES.has(code));
}

const CONNECTION_CODES: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Internal, Code.Unknown, Code.Aborted]);

function unreadableVersion(text: string): never {
  throw new MachineIdError('REPLY_INVALID', `the Auth Service gives its version as ${JSON.stringify(oneLine(text))}`, {
    hint: 'Check that the address is the one of a Teleport cluster, version 15.3.7 or later.',
  });
}
