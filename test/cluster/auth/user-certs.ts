/** GenerateUserCerts: identities that impersonate roles, for a bot that has joined. */
import { sshKeys, tlsCertificates } from '../data/authorities.ts';
import { createHash, randomUUID } from 'node:crypto';
import { MAX_BOT_TTL_MS } from '../data/data.ts';
import type { Call } from './grpc.ts';
import type { Identity } from '../data/identity.ts';
import { issue } from './issue.ts';
import type { PublicKeys } from './public-keys.ts';
import { toAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { checkUserCertsRequest, type Grant } from './user-certs-checks.ts';
import { readKeys, readUserCertsRequest, recordedFields } from './user-certs-request.ts';
import { findRole, ownAuthority, type World } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

export async function generateUserCerts(world: World, message: unknown, call: Call, caller: Identity): Promise<object> {
  const request = readUserCertsRequest(message);
  Object.assign(call.record.fields, recordedFields(request));
  const keys = readKeys(request, world.profile.userCertsKeys);
  Object.assign(call.record.fields, { keyType: keys.tls?.asymmetricKeyType, keyDigest: keyDigest(keys) });
  const grant = checkUserCertsRequest(world, request, caller);
  const reissuable = world.profile.major >= 17 && request.reissuable_role_impersonation;
  const issued = await issue(
    world,
    {
      identity: grantedIdentity(world, caller, grant, reissuable),
      keys,
      notAfter: cutExpiry(world, grant, call),
    },
    world.faults.outputCertificates,
  );
  const user = ownAuthority(world, 'user');
  return {
    ssh: issued.ssh && Buffer.from(toAuthorizedKey(issued.ssh)),
    tls: issued.tls && Buffer.from(certificatePem(issued.tls)),
    tls_ca_certs: tlsCertificates(user).map((certificate) => Buffer.from(certificatePem(certificate))),
    ssh_ca_certs: sshKeys(user).map((key) => Buffer.from(toAuthorizedKey(key))),
  };
}

/** Distinguishes keys. */
function keyDigest({ tls }: PublicKeys): string {
  return createHash('sha256')
    .update(tls?.export({ type: 'spki', format: 'der' }) ?? '')
    .digest('hex');
}

function grantedIdentity(world: World, caller: Identity, grant: Grant, reissuable: boolean): Identity {
  const granted = {
    ...caller,
    roles: grant.roles,
    usages: grant.usages,
    routeToCluster: grant.routeToCluster,
    kubernetes: kubernetesAccess(world, grant),
    database: grant.database,
    application: grant.application,
  };
  if (!grant.impersonates) {
    return granted;
  }
  return {
    ...granted,
    principals: [...loginsOf(world, grant), '-teleport-internal-join'],
    impersonator: caller.userName,
    disallowReissue: !reissuable,
  };
}

/** A certificate needs a principal, so if no role has any, Teleport generates one that cannot exist. */
function loginsOf(world: World, { roles }: Grant): readonly string[] {
  const logins = new Set(roles.flatMap((role) => findRole(world, role)?.logins ?? []));
  return logins.size === 0 ? [`-teleport-nologin-${randomUUID()}`] : [...logins];
}

/** Users and groups are those of the roles, whether or not the certificate is routed to a Kubernetes cluster. */
function kubernetesAccess(world: World, { roles, kubernetesCluster }: Grant): Identity['kubernetes'] {
  const held = roles.flatMap((name) => findRole(world, name) ?? []);
  return {
    users: [...new Set(held.flatMap((role) => role.kubernetesUsers))],
    groups: [...new Set(held.flatMap((role) => role.kubernetesGroups))],
    cluster: kubernetesCluster,
  };
}

/** Impersonated certificates can outlive the caller's own; a lifetime that is too long is shortened silently. */
function cutExpiry(world: World, grant: Grant, call: Call): Date {
  const now = Date.now();
  const ofRoles = grant.roles.map((role) => now + (findRole(world, role)?.maxSessionTtlMs ?? Infinity));
  const ofCaller = grant.impersonates ? [] : [Date.parse(call.connection.socket.getPeerCertificate().valid_to)];
  return new Date(Math.min(grant.expires.getTime(), now + MAX_BOT_TTL_MS, ...ofRoles, ...ofCaller));
}
