/** `SPIFFEFederationService`: the trust domains that the cluster federates with, one on each page. */
import { z } from 'zod';
import { callerOf } from './caller.ts';
import type { GrpcServer } from './grpc.ts';
import { createKey, publicKeyDer } from '../crypto/keys.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { badParameter } from '../data/teleport-errors.ts';
import { createTlsAuthority } from '../crypto/x509.ts';

export interface FederatedDomain {
  readonly name: string;
  /** JSON; empty for a domain that never responded. */
  readonly bundle: string;
}

const Request = z.object({ page_size: z.number(), page_token: z.string() });

/** Two domains that responded, one that did not, and one with an invalid bundle. */
export async function createFederatedDomains(): Promise<readonly FederatedDomain[]> {
  const names = ['partner.example.org', 'beta.example.org'];
  const answered = await Promise.all(names.map(async (name) => ({ name, bundle: await bundleOf(name) })));
  return [...answered, { name: 'silent.example.org', bundle: '' }, { name: 'broken.example.org', bundle: '{}' }];
}

/** With a JWT key too, which is not a certificate. */
async function bundleOf(domain: string): Promise<string> {
  const key = await createKey('ec');
  const subject = encodeName([{ oid: OID.organization, values: [domain] }]);
  const { certificate } = createTlsAuthority(subject, publicKeyDer(key), key);
  const x509 = { use: 'x509-svid', kty: 'EC', crv: 'P-256', x5c: [certificate.toString('base64')] };
  const jwt = { use: 'jwt-svid', kty: 'EC', crv: 'P-256', kid: 'one' };
  return JSON.stringify({ keys: [jwt, x509], spiffe_sequence: 1, spiffe_refresh_hint: 300 });
}

export function serveFederations(server: GrpcServer, domains: readonly FederatedDomain[]): void {
  server.addUnary('teleport.machineid.v1.SPIFFEFederationService', {
    ListSPIFFEFederations: {
      serve: (message, call) => {
        callerOf(call);
        const { page_token: token } = Request.parse(message);
        const at = token === '' ? 0 : domains.findIndex(({ name }) => name === token);
        const domain = domains[at];
        if (domain === undefined) {
          throw badParameter(`invalid page token "${token}"`);
        }
        const status = { current_bundle: domain.bundle };
        const federation = { kind: 'spiffe_federation', version: 'v1', metadata: { name: domain.name }, status };
        return { spiffe_federations: [federation], next_page_token: domains[at + 1]?.name ?? '' };
      },
    },
  });
}
