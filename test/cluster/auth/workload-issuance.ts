/** Issues workload identities to callers whose roles have matching labels (Teleport 17 and later). */
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { rolesOfCaller } from './caller.ts';
import type { Role } from '../data/data.ts';
import type { Call, GrpcServer } from './grpc.ts';
import { selects } from '../data/labels.ts';
import { signJwtSvid, signX509Svid, spiffeIdOf } from './svid.ts';
import { accessDenied, badParameter, notFound } from '../data/teleport-errors.ts';
import { fromDate, toMilliseconds, WireDuration } from './timestamp.ts';
import type { WorkloadIdentity } from '../data/workload-identities.ts';
import type { World } from '../world.ts';

const SERVICE = 'teleport.workloadidentity.v1.WorkloadIdentityIssuanceService';
const DEFAULT_TTL_MS = 60 * 60 * 1000;
const MOST_ISSUED = 10;

const Params = z.object({
  x509_svid_params: z.object({ public_key: z.instanceof(Buffer), use_issuer_overrides: z.boolean() }).nullish(),
  jwt_svid_params: z.object({ audiences: z.array(z.string()) }).nullish(),
  requested_ttl: WireDuration.nullable(),
});
const OneRequest = Params.extend({ name: z.string() });
const ManyRequest = Params.extend({
  label_selectors: z.array(z.object({ key: z.string(), values: z.array(z.string()) })),
});

export function serveWorkloadIssuance(server: GrpcServer, world: World): void {
  server.addUnary(SERVICE, {
    IssueWorkloadIdentity: {
      serve: async (message, call) => {
        const request = OneRequest.parse(message);
        Object.assign(call.record.fields, { name: request.name, ...recorded(request) });
        return { credential: await issue(world, findUsable(world, request.name, call), request) };
      },
    },
    IssueWorkloadIdentities: {
      serve: async (message, call) => {
        const request = ManyRequest.parse(message);
        Object.assign(call.record.fields, { labels: request.label_selectors, ...recorded(request) });
        const found = selectUsable(world, request.label_selectors, call);
        return { credentials: await Promise.all(found.map((workload) => issue(world, workload, request))) };
      },
    },
  });
}

function recorded({
  x509_svid_params: x509,
  jwt_svid_params: jwt,
  requested_ttl: ttl,
}: z.infer<typeof Params>): object {
  return { x509: Boolean(x509), audiences: jwt?.audiences, ttlMs: ttl ? toMilliseconds(ttl) : undefined };
}

/** Teleport looks up the resource first, then checks the roles, so any caller finds out what exists. */
function findUsable(world: World, name: string, call: Call): WorkloadIdentity {
  const roles = rolesWithWorkloads(world, call, 'read');
  const found = world.resources.workloadIdentities.find((workload) => workload.name === name);
  if (found === undefined) {
    throw notFound(`workload_identity "${name}" doesn't exist`);
  }
  if (!roles.some((role) => allows(role, found))) {
    throw accessDenied('access to workload_identity denied. User does not have permissions.');
  }
  return found;
}

function selectUsable(
  world: World,
  selectors: z.infer<typeof ManyRequest>['label_selectors'],
  call: Call,
): readonly WorkloadIdentity[] {
  if (selectors.length === 0) {
    throw badParameter('label_selectors: at least one label selector must be specified');
  }
  const roles = rolesWithWorkloads(world, call, 'list');
  const found = world.resources.workloadIdentities.filter(
    (workload) =>
      roles.some((role) => allows(role, workload)) &&
      selectors.every(({ key, values }) => values.includes(workload.labels[key] ?? '')),
  );
  if (found.length > MOST_ISSUED) {
    throw badParameter('number of identities that would be issued exceeds maximum permitted');
  }
  return found;
}

/** A role with labels of workload identities also has the rule to read them. */
function rolesWithWorkloads(world: World, call: Call, verb: string): readonly Role[] {
  const roles = rolesOfCaller(world, call).filter((role) => Object.keys(role.workloadIdentityLabels).length > 0);
  if (roles.length === 0) {
    throw accessDenied(`access denied to perform action "${verb}" on "workload_identity"`);
  }
  return roles;
}

function allows({ workloadIdentityLabels }: Role, { labels }: WorkloadIdentity): boolean {
  return selects(workloadIdentityLabels, labels);
}

async function issue(world: World, workload: WorkloadIdentity, request: z.infer<typeof Params>): Promise<object> {
  const asked = request.requested_ttl ? toMilliseconds(request.requested_ttl) : 0;
  const ttlMs = Math.min(asked > 0 ? asked : DEFAULT_TTL_MS, workload.maxTtlMs);
  const notAfter = new Date(Date.now() + ttlMs);
  return {
    ttl: { seconds: Math.floor(ttlMs / 1000), nanos: 0 },
    expires_at: fromDate(notAfter),
    workload_identity_name: workload.name,
    workload_identity_revision: workload.revision,
    spiffe_id: spiffeIdOf(world, workload.path),
    ...(await document(world, workload, { ...request, notAfter })),
  };
}

async function document(
  world: World,
  workload: WorkloadIdentity,
  wish: z.infer<typeof Params> & { readonly notAfter: Date },
): Promise<object> {
  const { x509_svid_params: x509, jwt_svid_params: jwt, notAfter } = wish;
  if (x509) {
    const named = { ...workload, ipAddresses: [] };
    const cert = signX509Svid(world, named, { publicKey: x509.public_key, notAfter });
    return { x509_svid: { cert, serial_number: serialNumberOf(cert) } };
  }
  if (!jwt) {
    throw badParameter('at least one credential type must be requested');
  }
  if (jwt.audiences.length === 0) {
    throw badParameter('jwt_svid_params.audiences: at least one audience should be specified');
  }
  return { jwt_svid: await signJwtSvid(world, workload.path, { audiences: jwt.audiences, notAfter }) };
}

/** Lowercase hexadecimal bytes, separated by colons (`serialString` of lib/auth/machineid/workloadidentityv1). */
function serialNumberOf(certificate: Buffer): string {
  const digits = new X509Certificate(certificate).serialNumber.toLowerCase();
  return (digits.match(/../g) ?? []).join(':');
}
