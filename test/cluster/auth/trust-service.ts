/** `teleport.trust.v1.TrustService`: the authorities of the cluster and of its leaf clusters, and host certificates. */
import { z } from 'zod';
import { idleAuthority, isAuthorityType, type Authority, type AuthorityKeys } from '../data/authorities.ts';
import { type AuthorityFault, HOSTILE_CLUSTER_NAME } from '../faults.ts';
import type { GrpcServer } from './grpc.ts';
import { generateHostCert } from './host-certs.ts';
import { publicKeyPem } from '../crypto/keys.ts';
import { resourceHeader } from './resource-header.ts';
import { encodeSshPublicKey, toAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { accessDenied, badParameter, notFound } from '../data/teleport-errors.ts';
import type { World } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

const OneRequest = z.object({ type: z.string(), domain: z.string(), include_key: z.boolean() });
const ListRequest = OneRequest.omit({ domain: true });

export function serveTrustService(server: GrpcServer, world: World): void {
  const authorities = new AuthorityReader(world);
  server.addUnary('teleport.trust.v1.TrustService', {
    GetCertAuthorities: {
      serve: async (message, { record }) => {
        const request = ListRequest.parse(message);
        Object.assign(record.fields, request);
        return { cert_authorities_v2: (await authorities.ofType(request)).map((one) => listed(world, one)) };
      },
    },
    GetCertAuthority: {
      serve: async (message, { record }) => {
        const request = OneRequest.parse(message);
        Object.assign(record.fields, request);
        const found = (await authorities.ofType(request)).find((authority) => authority.cluster === request.domain);
        if (found === undefined) {
          throw notFound(`key /authorities/${request.type}/${request.domain} is not found`);
        }
        return toResource(found);
      },
    },
    GenerateHostCert: { serve: (message, call) => generateHostCert(world, message, call) },
  });
}

class AuthorityReader {
  readonly #world: World;
  readonly #idle = new Map<string, Promise<Authority>>();

  constructor(world: World) {
    this.#world = world;
  }

  async ofType(request: { readonly type: string; readonly include_key: boolean }): Promise<readonly Authority[]> {
    const { type } = request;
    const idle = isAuthorityType(type) ? undefined : this.#idleOfType(type);
    if (!isAuthorityType(type) && idle === undefined) {
      // Text of `CertAuthType.Check` in api/types/trust.go.
      throw badParameter(`"${type}" authority type is not supported`);
    }
    if (request.include_key) {
      throw accessDenied('access denied to perform action "read" on "cert_authority"');
    }
    return idle === undefined ? this.#world.authorities.filter((authority) => authority.type === type) : [await idle];
  }

  #idleOfType(type: string): Promise<Authority> | undefined {
    const known = this.#idle.get(type) ?? idleAuthority(this.#world.clusterName, type, this.#world.profile);
    if (known !== undefined) {
      this.#idle.set(type, known);
    }
    return known;
  }
}

function listed({ faults: { listedAuthorities } }: World, authority: Authority): object {
  return toResource(authority, listedAuthorities?.of === authority.cluster ? listedAuthorities.fault : undefined);
}

function toResource(authority: Authority, fault?: AuthorityFault): object {
  const { active, additional, cluster, showsTls, type } = authority;
  return {
    ...resourceHeader(`cert_authority/${type}`, 'v2', cluster),
    spec: {
      type,
      cluster_name: fault === 'hostile-name' ? HOSTILE_CLUSTER_NAME : cluster,
      active_keys: toKeySet(repeated(active, fault), showsTls, fault),
      additional_trusted_keys: toKeySet(additional, showsTls, fault),
    },
  };
}

function repeated(keys: readonly AuthorityKeys[], fault: AuthorityFault | undefined): readonly AuthorityKeys[] {
  const times = fault?.endsWith('-keys') === true ? Number.parseInt(fault, 10) : 1;
  return Array.from({ length: times }, () => keys).flat();
}

function toKeySet(keys: readonly AuthorityKeys[], showsTls: boolean, fault: AuthorityFault | undefined): object {
  const ssh = keys.flatMap(({ sshKey }) => (sshKey === undefined ? [] : [toAuthorizedKey(encodeSshPublicKey(sshKey))]));
  const tls = showsTls ? keys.map((one) => certificatePem(one.tls.certificate)) : [];
  return {
    ssh: ssh.map((line) => ({ public_key: Buffer.from(fault === 'ssh-unreadable' ? 'ssh-odd AAAA' : line) })),
    tls: tls.map((pem) => ({ cert: Buffer.from(fault === 'tls-unreadable' ? 'no PEM' : pem) })),
    jwt: keys.flatMap(({ jwtKey }) =>
      jwtKey === undefined ? [] : [{ public_key: Buffer.from(publicKeyPem(jwtKey)) }],
    ),
  };
}
