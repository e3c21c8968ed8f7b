/** `teleport.trust.v1.TrustService`: the authorities of the cluster and of its leaf clusters, and host certificates. */
import { z } from 'zod';
import { isAuthorityType, type Authority } from './authorities.ts';
import { type AuthorityFault, HOSTILE_CLUSTER_NAME } from './faults.ts';
import type { GrpcServer } from './grpc.ts';
import { generateHostCert } from './host-certs.ts';
import { publicKeyPem } from './keys.ts';
import { encodeSshPublicKey, toAuthorizedKey } from './ssh-public-key.ts';
import { accessDenied, badParameter, notFound } from './teleport-errors.ts';
import type { World } from './world.ts';
import { certificatePem } from './x509.ts';

const OneRequest = z.object({ type: z.string(), domain: z.string(), include_key: z.boolean() });
const ListRequest = OneRequest.omit({ domain: true });

export function serveTrustService(server: GrpcServer, world: World): void {
  server.addUnary('teleport.trust.v1.TrustService', {
    GetCertAuthorities: {
      serve: (message, { record }) => {
        const request = ListRequest.parse(message);
        Object.assign(record.fields, request);
        return { cert_authorities_v2: authoritiesOfType(world, request).map((one) => listed(world, one)) };
      },
    },
    GetCertAuthority: {
      serve: (message, { record }) => {
        const request = OneRequest.parse(message);
        Object.assign(record.fields, request);
        const found = authoritiesOfType(world, request).find((authority) => authority.cluster === request.domain);
        if (found === undefined) {
          throw notFound(`key /authorities/${request.type}/${request.domain} is not found`);
        }
        return toResource(found);
      },
    },
    GenerateHostCert: { serve: (message, call) => generateHostCert(world, message, call) },
  });
}

function authoritiesOfType(
  world: World,
  request: { readonly type: string; readonly include_key: boolean },
): readonly Authority[] {
  if (!isAuthorityType(request.type)) {
    throw badParameter(`authority type "${request.type}" is not supported`);
  }
  if (request.include_key) {
    throw accessDenied('access denied to perform action "read" on "cert_authority"');
  }
  return world.authorities.filter((authority) => authority.type === request.type);
}

function listed({ faults: { listedAuthorities } }: World, authority: Authority): object {
  return toResource(authority, listedAuthorities?.of === authority.cluster ? listedAuthorities.fault : undefined);
}

function toResource(authority: Authority, fault?: AuthorityFault): object {
  const { type, sshKey, jwtKey } = authority;
  const sshLine = fault === 'ssh-unreadable' ? 'ssh-odd AAAA' : sshKey && toAuthorizedKey(encodeSshPublicKey(sshKey));
  const ssh = sshLine && [{ public_key: Buffer.from(sshLine) }];
  // what signs users for hosts without an agent signs nothing for TLS
  const certificate = fault === 'tls-unreadable' ? 'no PEM' : certificatePem(authority.tls.certificate);
  const tls = type === 'openssh' ? [] : [{ cert: Buffer.from(certificate) }];
  const jwt = jwtKey && [{ public_key: Buffer.from(publicKeyPem(jwtKey)) }];
  return {
    kind: 'cert_authority',
    sub_kind: authority.type,
    version: 'v2',
    metadata: { name: authority.cluster },
    spec: {
      type: authority.type,
      cluster_name: fault === 'hostile-name' ? HOSTILE_CLUSTER_NAME : authority.cluster,
      active_keys: { ssh, jwt, tls },
      additional_trusted_keys: {},
    },
  };
}
