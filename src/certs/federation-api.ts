/** The trust domains that a cluster federates with, and their authorities. */
import * as z from 'zod/mini';
import { readCertificate } from '../crypto/x509.ts';
import { SPIFFEFederationService } from '../teleport/gen/teleport/machineid/v1/federation_service_pb.ts';
import type { CallOptions, GrpcConnection } from '../teleport/grpc.ts';
import { oneLine } from '../teleport/trace-error.ts';
import { type AuthCallOptions, authCaller, type Refusals } from './auth-call.ts';

/** In the order of the domains' names. */
export interface FederatedAuthorities {
  /** PEM of their X.509 authorities, one block each. */
  readonly certificatesPem: readonly string[];
  /** Domains whose bundle cannot be read: they are others' servers, and must not keep a job from its own SVID. */
  readonly unreadable: readonly string[];
}

export interface FederationApi {
  /** @throws MachineIdError as the calls of `AuthApi` do, and CLUSTER_UNSUITABLE */
  federatedAuthorities(): Promise<FederatedAuthorities>;
}

const PAGE_SIZE = 100;
const MOST_PAGES = 50;

export function federationApi(connection: GrpcConnection, options: AuthCallOptions): FederationApi {
  const call = authCaller(options);
  return {
    federatedAuthorities: async () => {
      const bundles = new Map<string, string>();
      let pageToken = '';
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const request = { pageSize: PAGE_SIZE, pageToken };
        const work = (at: CallOptions) => connection.call(SPIFFEFederationService.listSPIFFEFederations, request, at);
        const { nextPageToken, spiffeFederations } = await call('ListSPIFFEFederations', work, REFUSALS);
        for (const { metadata, status } of spiffeFederations) {
          // A domain whose bundle was never fetched has none yet.
          if (status !== undefined && status.currentBundle !== '')
            bundles.set(metadata?.name ?? '', status.currentBundle);
        }
        if (nextPageToken === '') break;
        pageToken = nextPageToken;
      }
      return authoritiesOf([...bundles].sort(([one], [other]) => (one < other ? -1 : 1)));
    },
  };
}

const REFUSALS: Refusals = new Map([
  [
    'Unimplemented',
    {
      code: 'CLUSTER_UNSUITABLE',
      message: () => 'the cluster knows no federation of trust domains',
      hint: 'Remove include_federated_trust_bundles, or use a cluster of Teleport 16 or later.',
    },
  ],
]);

const Bundle = z.object({
  keys: z.array(z.object({ use: z.optional(z.string()), x5c: z.optional(z.array(z.string())) })),
});

function authoritiesOf(bundles: readonly (readonly [domain: string, text: string])[]): FederatedAuthorities {
  const read = bundles.map(([domain, text]) => ({ domain, certificates: x509Of(text) }));
  return {
    certificatesPem: read.flatMap(({ certificates }) => certificates ?? []),
    unreadable: read.flatMap(({ domain, certificates }) => (certificates === undefined ? [oneLine(domain)] : [])),
  };
}

/**
 * Keys for X.509 SVIDs hold one certificate each (SPIFFE Trust Domain and Bundle, section 4.2).
 * @returns undefined for what is no such bundle
 */
function x509Of(text: string): readonly string[] | undefined {
  try {
    const { keys } = z.parse(Bundle, JSON.parse(text));
    return keys.flatMap(({ use, x5c = [] }) =>
      use === 'x509-svid' ? x5c.slice(0, 1).map((der) => readCertificate(Buffer.from(der, 'base64')).pem) : [],
    );
  } catch {
    return undefined;
  }
}
