/**
 * The registration before the join service: JSON at `POST /v1/webapi/host/credentials`, and from v17 on gRPC at
 * `proto.JoinService/RegisterUsingToken`, with the same rules.
 */
import { z } from 'zod';
import type { GrpcServer } from './grpc.ts';
import { admit, findToken, type JoinResult } from './join.ts';
import type { OidcVerifier } from '../issuer/oidc-verifier.ts';
import { parseSshLine, parseTlsPem } from './public-keys.ts';
import { toAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { badParameter } from '../data/teleport-errors.ts';
import { toDate, WireTimestamp } from './timestamp.ts';
import type { World } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

/** For bytes, Go's encoding/json accepts only padded standard base64. */
const Bytes = z
  .string()
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'illegal base64 data')
  .transform((text): Buffer => Buffer.from(text, 'base64'));

const RegisterRequest = z.object({
  hostID: z.string().default(''),
  node_name: z.string().default(''),
  role: z.string().default(''),
  token: z.string().default(''),
  public_tls_key: Bytes.nullish(),
  public_ssh_key: Bytes.nullish(),
  id_token: z.string().default(''),
  expires: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .nullish(),
});

/** The request, in either form. */
type Registration = z.infer<typeof RegisterRequest>;

/** The origin of a request, and its record. */
interface Origin {
  /** Part of the request's record, filled in here. */
  readonly fields: Record<string, unknown>;
  readonly remoteAddress: string;
}

export async function joinByLegacyEndpoint(
  world: World,
  verifier: OidcVerifier,
  body: string,
  origin: Origin,
): Promise<object> {
  return toJsonCerts(await register(world, verifier, parseRequest(body), origin));
}

/** The same at Auth and at the Proxy, which forwards to Auth (`lib/joinserver`, gravitational/teleport#47853). */
export function serveRegistration(server: GrpcServer, world: World, verifier: OidcVerifier): void {
  server.addUnary('proto.JoinService', {
    RegisterUsingToken: {
      anonymous: true,
      serve: async (message, { connection, record }) => {
        const request = checked(fromMessage(GrpcRequest.parse(message)));
        const origin = { fields: record.fields, remoteAddress: connection.socket.remoteAddress ?? '' };
        return toGrpcCerts(await register(world, verifier, request, origin));
      },
    },
  });
}

async function register(
  world: World,
  verifier: OidcVerifier,
  request: Registration,
  { fields, remoteAddress }: Origin,
): Promise<JoinResult> {
  Object.assign(fields, { token: request.token, role: request.role, expires: request.expires ?? undefined });
  const joining = `${JSON.stringify(request.node_name)} can not join the cluster with role ${JSON.stringify(request.role)}`;
  const token = findToken(world, request.token, `${joining}, token expired or not found`);
  if (request.role !== 'Bot' || !token.roles.includes(request.role)) {
    throw badParameter(`can not join the cluster, the token does not allow "${request.role}" role`);
  }
  if (token.method === 'generic_oidc') {
    // No handler of the earlier joins is known for it (generic-oidc.md, "The wire"); the text is lib/auth/join.go's.
    throw badParameter('unrecognized token join method');
  }
  if (request.id_token === '' && token.method !== 'iam') {
    // `checkCircleCIJoinRequest` and `checkGitHubJoinRequest` of lib/auth.
    const method = token.method === 'circleci' ? '"circleci"' : 'Github';
    throw badParameter(`IDToken not provided for ${method} join request`);
  }
  return admit(world, verifier, {
    token,
    idToken: request.id_token,
    keys: {
      tls: parseTlsPem(required(request.public_tls_key, 'PublicTLSKey')),
      ssh: parseSshLine(required(request.public_ssh_key, 'PublicSSHKey')),
    },
    expires: request.expires ?? undefined,
    remoteAddress,
  });
}

const GrpcRequest = z.object({
  host_id: z.string(),
  node_name: z.string(),
  role: z.string(),
  token: z.string(),
  public_tls_key: z.instanceof(Buffer),
  public_ssh_key: z.instanceof(Buffer),
  id_token: z.string(),
  expires: WireTimestamp.nullish(),
});

/** Protobuf does not distinguish empty bytes from absent ones. */
function fromMessage({ expires, host_id: hostID, ...request }: z.infer<typeof GrpcRequest>): Registration {
  const present = (bytes: Buffer): Buffer | undefined => (bytes.length === 0 ? undefined : bytes);
  return {
    ...request,
    hostID,
    public_tls_key: present(request.public_tls_key),
    public_ssh_key: present(request.public_ssh_key),
    expires: expires ? toDate(expires) : undefined,
  };
}

function parseRequest(body: string): Registration {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw badParameter('request: the body is not valid JSON');
  }
  const parsed = RegisterRequest.safeParse(json);
  if (!parsed.success) {
    throw badParameter(`request: ${z.prettifyError(parsed.error)}`);
  }
  return checked(parsed.data);
}

function checked(request: Registration): Registration {
  const { token, role } = request;
  if (token === '' || role === '') {
    throw badParameter(`missing parameter ${token === '' ? 'Token' : 'Role'}`);
  }
  return request;
}

function required<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) {
    throw badParameter(`missing parameter ${name}`);
  }
  return value;
}

function toJsonCerts(result: JoinResult): object {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    ssh: result.ssh && base64(toAuthorizedKey(result.ssh)),
    tls: result.tls && base64(certificatePem(result.tls)),
    tls_ca_certs: result.tlsAuthorities.map((certificate) => base64(certificatePem(certificate))),
    ssh_ca_certs: result.sshAuthorities.map((wire) => base64(toAuthorizedKey(wire))),
  };
}

function toGrpcCerts(result: JoinResult): object {
  return {
    ssh: result.ssh && Buffer.from(toAuthorizedKey(result.ssh)),
    tls: result.tls && Buffer.from(certificatePem(result.tls)),
    tls_ca_certs: result.tlsAuthorities.map((certificate) => Buffer.from(certificatePem(certificate))),
    ssh_ca_certs: result.sshAuthorities.map((wire) => Buffer.from(toAuthorizedKey(wire))),
  };
}
