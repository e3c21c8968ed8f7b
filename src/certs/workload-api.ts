/** The calls for workload identities, which resources of the cluster describe (servers from 17 on). */
import type { KeyObject } from 'node:crypto';
import { publicKeyDer } from '../crypto/keys.ts';
import {
  type Credential,
  WorkloadIdentityIssuanceService,
} from '../teleport/gen/teleport/workloadidentity/v1/issuance_service_pb.ts';
import { WorkloadIdentityRevocationService } from '../teleport/gen/teleport/workloadidentity/v1/revocation_service_pb.ts';
import type { GrpcConnection } from '../teleport/grpc.ts';
import { GrpcError } from '../teleport/grpc-error.ts';
import { durationFromMs } from '../teleport/protobuf-time.ts';
import { type AuthCallOptions, authCaller } from './auth-call.ts';
import type { JwtSvid, X509Svid } from './svid.ts';
import { workloadRefusals } from './workload-refusals.ts';
import type { WorkloadSelector } from './workload-selector.ts';

type SvidWish =
  | { readonly kind: 'x509'; readonly publicKey: KeyObject; readonly ttlMs: number }
  | { readonly kind: 'jwt'; readonly audiences: readonly string[]; readonly ttlMs: number };

export type X509Wish = Extract<SvidWish, { readonly kind: 'x509' }>;
export type JwtWish = Extract<SvidWish, { readonly kind: 'jwt' }>;

/** An SVID with the name of the workload identity that it is of. */
export type Named<T> = T & { readonly name: string };

/** Every call throws MachineIdError as those of `AuthApi` do, and RESOURCE_UNKNOWN and CLUSTER_UNSUITABLE. */
export interface WorkloadApi {
  /** One for each workload identity that fits and that the caller may use. */
  issueX509(selector: WorkloadSelector, wish: Omit<X509Wish, 'kind'>): Promise<readonly Named<X509Svid>[]>;
  issueJwt(selector: WorkloadSelector, wish: Omit<JwtWish, 'kind'>): Promise<readonly Named<JwtSvid>[]>;
  /** DER of the list of now; undefined where the server knows no revocations yet. */
  revocationList(): Promise<Uint8Array | undefined>;
}

export function workloadApi(connection: GrpcConnection, options: AuthCallOptions): WorkloadApi {
  const call = authCaller(options);
  const issue = async (selector: WorkloadSelector, wish: SvidWish): Promise<readonly Credential[]> => {
    const { name, labels } = selector;
    const refusals = workloadRefusals(selector);
    const common = { credential: paramsOf(wish), requestedTtl: durationFromMs(wish.ttlMs) };
    if (name !== undefined) {
      const request = { ...common, name };
      const one = await call(
        'IssueWorkloadIdentity',
        (at) => connection.call(WorkloadIdentityIssuanceService.issueWorkloadIdentity, request, at),
        refusals,
      );
      return one.credential === undefined ? [] : [one.credential];
    }
    const labelSelectors = Object.entries(labels).map(([key, values]) => ({ key, values: [...values] }));
    const request = { ...common, labelSelectors };
    const all = await call(
      'IssueWorkloadIdentities',
      (at) => connection.call(WorkloadIdentityIssuanceService.issueWorkloadIdentities, request, at),
      refusals,
    );
    return all.credentials;
  };
  return {
    issueX509: async (selector, wish) => (await issue(selector, { kind: 'x509', ...wish })).flatMap(readX509),
    issueJwt: async (selector, wish) => (await issue(selector, { kind: 'jwt', ...wish })).flatMap(readJwt),
    revocationList: () =>
      call('StreamSignedCRL', async (at) => {
        try {
          const lists = connection.stream(WorkloadIdentityRevocationService.streamSignedCRL, [{}], at);
          for await (const { crl } of lists) return crl;
          return undefined;
        } catch (error) {
          // The first releases of 17 issue workload identities and cannot revoke them.
          if (error instanceof GrpcError && error.status === 'Unimplemented') return undefined;
          throw error;
        }
      }),
  };
}

/** From 18 on, an issuer of the owner's own signs where one is configured, and its chain comes along. */
function paramsOf(wish: SvidWish) {
  switch (wish.kind) {
    case 'x509': {
      const value = { publicKey: publicKeyDer(wish.publicKey), useIssuerOverrides: true };
      return { case: 'x509SvidParams' as const, value };
    }
    case 'jwt':
      return { case: 'jwtSvidParams' as const, value: { audiences: [...wish.audiences] } };
    default:
      return wish satisfies never;
  }
}

function readX509({ credential, spiffeId, workloadIdentityName: name }: Credential): Named<X509Svid>[] {
  if (credential.case !== 'x509Svid') return [];
  const { cert: certificate, chain } = credential.value;
  return [{ name, spiffeId, certificate, chain }];
}

function readJwt({ credential, spiffeId, workloadIdentityName: name }: Credential): Named<JwtSvid>[] {
  return credential.case === 'jwtSvid' ? [{ name, spiffeId, jwt: credential.value.jwt }] : [];
}
