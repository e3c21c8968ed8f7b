/** The decoded request of GenerateUserCerts. */
import { z } from 'zod';
import type { Profile } from '../data/profiles.ts';
import { parseSshLine, parseTlsPem, type PublicKeys } from './public-keys.ts';
import { badParameter } from '../data/teleport-errors.ts';
import { toDate, WireTimestamp } from './timestamp.ts';

const WireRequest = z.object({
  public_key: z.instanceof(Buffer),
  username: z.string(),
  expires: WireTimestamp.nullable(),
  format: z.string(),
  route_to_cluster: z.string(),
  kubernetes_cluster: z.string(),
  usage: z.number(),
  route_to_database: z
    .object({ service_name: z.string(), protocol: z.string(), username: z.string(), database: z.string() })
    .nullable(),
  route_to_app: z
    .object({ name: z.string(), session_id: z.string(), public_addr: z.string(), cluster_name: z.string() })
    .nullable(),
  role_requests: z.array(z.string()),
  use_role_requests: z.boolean(),
  ssh_public_key: z.instanceof(Buffer),
  tls_public_key: z.instanceof(Buffer),
  reissuable_role_impersonation: z.boolean(),
});

export type UserCertsRequest = z.infer<typeof WireRequest>;

export function readUserCertsRequest(message: unknown): UserCertsRequest {
  return WireRequest.parse(message);
}

/** The facts that tests can assert: the whole request, but only the form of its keys. */
export function recordedFields(request: UserCertsRequest): Record<string, unknown> {
  return {
    userName: request.username,
    roles: request.role_requests,
    useRoleRequests: request.use_role_requests,
    expires: request.expires ? toDate(request.expires) : undefined,
    routeToCluster: request.route_to_cluster,
    kubernetesCluster: request.kubernetes_cluster,
    usage: request.usage,
    database: request.route_to_database ?? undefined,
    application: request.route_to_app ?? undefined,
    format: request.format,
    reissuable: request.reissuable_role_impersonation,
    keys: {
      one: request.public_key.length > 0,
      ssh: request.ssh_public_key.length > 0,
      tls: request.tls_public_key.length > 0,
    },
  };
}

/** v15 and v16 read one key for both certificates, v18 a key for each, v17 either form but not both together. */
export function readKeys(request: UserCertsRequest, form: Profile['userCertsKeys']): PublicKeys {
  const hasOne = request.public_key.length > 0;
  const hasTwo = request.ssh_public_key.length > 0 || request.tls_public_key.length > 0;
  if (form === 'one-or-two' && hasOne && hasTwo) {
    throw badParameter('illegal to set both public_key and ssh_public_key or tls_public_key');
  }
  if (form === 'one' || (form === 'one-or-two' && hasOne)) {
    const key = parseSshLine(request.public_key);
    return { ssh: key, tls: key };
  }
  return {
    ssh: request.ssh_public_key.length > 0 ? parseSshLine(request.ssh_public_key) : undefined,
    tls: request.tls_public_key.length > 0 ? parseTlsPem(request.tls_public_key) : undefined,
  };
}
