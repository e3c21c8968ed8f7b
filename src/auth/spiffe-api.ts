/** The calls with which servers up to 17 sign SVIDs that no resource of the cluster describes. */
import type { KeyObject } from 'node:crypto';
import * as z from 'zod/mini';
import { publicKeyDer } from '../crypto/keys.ts';
import { readCertificate } from '../crypto/x509.ts';
import type { CallOptions, GrpcConnection } from '../grpc/client.ts';
import { SPIFFEFederationService } from '../grpc/gen/teleport/machineid/v1/federation_service_pb.ts';
import { WorkloadIdentityService } from '../grpc/gen/teleport/machineid/v1/workload_identity_service_pb.ts';
import { durationFromMs } from '../grpc/protobuf-values.ts';
import { oneLine } from '../net/network-error.ts';
import { authCaller, type AuthCallOptions, type Refusal, type Refusals } from '../teleport/auth-call.ts';
import type { JwtSvid, X509Svid } from './svid.ts';

/** The requested name of the workload. */
interface SpiffeName {
  /** Begins with `/`. */
  readonly path: string;
  readonly hint: string | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** Every call throws MachineIdError as those of `AuthApi` do, and CLUSTER_UNSUPPORTED. */
export interface SpiffeApi {
  signX509(name: SpiffeName, params: { publicKey: KeyObject; ttlMs: number }): Promise<X509Svid | undefined>;
  /** Servers from 16 on. */
  signJwt(name: SpiffeName, params: { audience: string; ttlMs: number }): Promise<JwtSvid | undefined>;
}

export function spiffeApi(connection: GrpcConnection, options: AuthCallOptions): SpiffeApi {
  const call = authCaller(options);
  return {
    signX509: async ({ path, hint = '', dnsNames, ipAddresses }, { publicKey, ttlMs }) => {
      const svid = {
        publicKey: publicKeyDer(publicKey),
        spiffeIdPath: path,
        dnsSans: [...dnsNames],
        ipSans: [...ipAddresses],
        hint,
        ttl: durationFromMs(ttlMs),
      };
      const response = await call(
        'SignX509SVIDs',
        (at) => connection.call(WorkloadIdentityService.signX509SVIDs, { svids: [svid] }, at),
        X509_REFUSALS,
      );
      const [signed] = response.svids;
      return signed && { spiffeId: signed.spiffeId, certificate: signed.certificate, chain: [] };
    },
    signJwt: async ({ path, hint = '' }, { audience, ttlMs }) => {
      const svid = { spiffeIdPath: path, audiences: [audience], hint, ttl: durationFromMs(ttlMs) };
      const response = await call(
        'SignJWTSVIDs',
        (at) => connection.call(WorkloadIdentityService.signJWTSVIDs, { svids: [svid] }, at),
        JWT_REFUSALS,
      );
      const [signed] = response.svids;
      return signed && { spiffeId: signed.spiffeId, jwt: signed.jwt };
    },
  };
}

const DENIED: Refusal = {
  code: 'AUTH_DENIED',
  message: (said) => `the Auth Service refused an SVID: ${said}`,
  hint: 'A role of the output must allow the path, and the DNS names and addresses, under spec.allow.spiffe.',
};

const X509_REFUSALS: Refusals = new Map([
  ['PermissionDenied', DENIED],
  [
    'Unimplemented',
    {
      code: 'CLUSTER_UNSUPPORTED',
      message: (said) =>
        `this cluster does not sign SVIDs for spiffe-svid, which Teleport supports up to version 17: ${said}`,
      hint: 'Use an output of the type workload-identity-x509.',
    },
  ],
]);

const JWT_REFUSALS: Refusals = new Map([
  ['PermissionDenied', DENIED],
  [
    'Unimplemented',
    {
      code: 'CLUSTER_UNSUPPORTED',
      message: (said) => `this cluster does not sign JWTs for spiffe-svid, which Teleport 16 and 17 support: ${said}`,
      hint: 'Remove "jwts" from the output, or upgrade the cluster.',
    },
  ],
]);

// The trust domains that a cluster federates with, and their authorities.

/** In the order of the domains' names. */
interface FederatedAuthorities {
  /** PEM of their X.509 authorities, one block each. */
  readonly certificatesPem: readonly string[];
  /** Domains whose bundle cannot be read. They belong to others, and must not keep a job from its own SVID. */
  readonly unreadable: readonly string[];
}

export interface FederationApi {
  /** @throws MachineIdError as the calls of `AuthApi` do, and CLUSTER_UNSUPPORTED */
  federatedAuthorities(): Promise<FederatedAuthorities>;
}

const PAGE_SIZE = 100;
const MAX_PAGES = 50;

export function federationApi(connection: GrpcConnection, options: AuthCallOptions): FederationApi {
  const call = authCaller(options);
  return {
    federatedAuthorities: async () => {
      const bundles = new Map<string, string>();
      let pageToken = '';
      for (let page = 0; page < MAX_PAGES; page += 1) {
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
      code: 'CLUSTER_UNSUPPORTED',
      message: () => 'the cluster does not support federation of trust domains',
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
 * @returns undefined for anything else than such a bundle
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
