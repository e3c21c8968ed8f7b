/** The JSON form of joining: `POST /v1/webapi/host/credentials`. */
import { z } from 'zod';
import { admit, findToken, type JoinResult } from './join.ts';
import type { OidcVerifier } from './oidc-verifier.ts';
import { parseSshLine, parseTlsPem } from './public-keys.ts';
import { toAuthorizedKey } from './ssh-public-key.ts';
import { accessDenied, badParameter } from './teleport-errors.ts';
import type { World } from './world.ts';
import { certificatePem } from './x509.ts';

/** Go's encoding/json takes padded standard base64 and nothing else for bytes. */
const Bytes = z
  .string()
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'illegal base64 data')
  .transform((text) => Buffer.from(text, 'base64'));

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

/** @param fields of the request's record, to be filled in */
export async function joinByLegacyEndpoint(
  world: World,
  verifier: OidcVerifier,
  body: string,
  fields: Record<string, unknown>,
  remoteAddress: string,
): Promise<object> {
  const request = parseRequest(body);
  Object.assign(fields, { token: request.token, role: request.role, expires: request.expires ?? undefined });
  const joining = `${JSON.stringify(request.node_name)} can not join the cluster with role ${JSON.stringify(request.role)}`;
  const token = findToken(world, request.token, `${joining}, token expired or not found`);
  if (request.role !== 'Bot' || !token.roles.includes(request.role)) {
    throw badParameter(`can not join the cluster, the token does not allow "${request.role}" role`);
  }
  if (request.id_token === '' && token.method !== 'iam') {
    throw accessDenied(`"id_token" was not provided for the ${token.method} join request`);
  }
  const result = await admit(world, verifier, {
    token,
    idToken: request.id_token,
    keys: {
      tls: parseTlsPem(required(request.public_tls_key, 'PublicTLSKey')),
      ssh: parseSshLine(required(request.public_ssh_key, 'PublicSSHKey')),
    },
    expires: request.expires ?? undefined,
    remoteAddress,
  });
  return toCerts(result);
}

function parseRequest(body: string): z.infer<typeof RegisterRequest> {
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
  const { token, role } = parsed.data;
  if (token === '' || role === '') {
    throw badParameter(`missing parameter ${token === '' ? 'Token' : 'Role'}`);
  }
  return parsed.data;
}

function required<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) {
    throw badParameter(`missing parameter ${name}`);
  }
  return value;
}

function toCerts(result: JoinResult): object {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    ssh: result.ssh && base64(toAuthorizedKey(result.ssh)),
    tls: result.tls && base64(certificatePem(result.tls)),
    tls_ca_certs: result.tlsAuthorities.map((certificate) => base64(certificatePem(certificate))),
    ssh_ca_certs: result.sshAuthorities.map((wire) => base64(toAuthorizedKey(wire))),
  };
}
