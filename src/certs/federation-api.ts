/** The trust domains that a cluster federates with, and their authorities. */
import * as z from 'zod/mini';
import { readCertificate } from '../crypto/x509.ts';
import { MachineIdError } from '../errors.ts';
import { SPIFFEFederationService } from '../teleport/gen/teleport/machineid/v1/federation_service_pb.ts';
import type { CallOptions, GrpcConnection } from '../teleport/grpc.ts';
import { oneLine } from '../teleport/trace-error.ts';
import { type AuthCallOptions, authCaller, type Refusals } from './auth-call.ts';

export interface FederationApi {
  /**
   * PEM of their X.509 authorities, one block each, in the order of the domains' names.
   * @throws MachineIdError as the calls of `AuthApi` do, and CLUSTER_UNSUITABLE
   */
  federatedAuthorities(): Promise<readonly string[]>;
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
      return [...bundles]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .flatMap(([domain, text]) => x509Of(domain, text));
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

/** Keys for X.509 SVIDs hold one certificate each (SPIFFE Trust Domain and Bundle, section 4.2). */
function x509Of(domain: string, text: string): readonly string[] {
  const keys = parsed(text)?.keys ?? unreadable(domain);
  return keys.flatMap(({ use, x5c = [] }) =>
    use === 'x509-svid' ? x5c.slice(0, 1).map((der) => readCertificate(Buffer.from(der, 'base64')).pem) : [],
  );
}

function parsed(text: string): z.infer<typeof Bundle> | undefined {
  try {
    return z.safeParse(Bundle, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function unreadable(domain: string): never {
  throw new MachineIdError('REPLY_INVALID', `the bundle of the trust domain "${oneLine(domain)}" cannot be read`, {
    hint: 'Look at it with "tctl get spiffe_federation"; it must be a SPIFFE bundle in JSON.',
  });
}
