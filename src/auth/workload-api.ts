/** The calls for workload identities, which are resources of the cluster (servers from 17 on). */
import type { KeyObject } from 'node:crypto';
import { publicKeyDer } from '../crypto/keys.ts';
import type { GrpcConnection } from '../grpc/client.ts';
import {
  type Credential,
  WorkloadIdentityIssuanceService,
} from '../grpc/gen/teleport/workloadidentity/v1/issuance_service_pb.ts';
import { WorkloadIdentityRevocationService } from '../grpc/gen/teleport/workloadidentity/v1/revocation_service_pb.ts';
import { durationFromMs } from '../grpc/protobuf-values.ts';
import { GrpcError } from '../grpc/status.ts';
import { authCaller, type AuthCallOptions, type Refusals } from '../teleport/auth-call.ts';
import type { JwtSvid, X509Svid } from './svid.ts';

/** Every call throws MachineIdError as those of `AuthApi` do, and RESOURCE_UNKNOWN and CLUSTER_UNSUPPORTED. */
export interface WorkloadApi {
  /** One for each matching workload identity that the caller may use. */
  issueX509(selector: WorkloadSelector, params: Omit<X509SvidParams, 'kind'>): Promise<readonly Named<X509Svid>[]>;
  issueJwt(selector: WorkloadSelector, params: Omit<JwtSvidParams, 'kind'>): Promise<readonly Named<JwtSvid>[]>;
  /** DER of the current list; undefined where the server does not support revocation. */
  revocationList(): Promise<Uint8Array | undefined>;
}

/** The one of that name or, without a name, those whose labels have one of the values each. */
export interface WorkloadSelector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

type SvidParams =
  | { readonly kind: 'x509'; readonly publicKey: KeyObject; readonly ttlMs: number }
  | { readonly kind: 'jwt'; readonly audiences: readonly string[]; readonly ttlMs: number };

type X509SvidParams = Extract<SvidParams, { readonly kind: 'x509' }>;
type JwtSvidParams = Extract<SvidParams, { readonly kind: 'jwt' }>;

/** An SVID with the name of its workload identity. */
export type Named<T> = T & { readonly name: string };

export function workloadApi(connection: GrpcConnection, options: AuthCallOptions): WorkloadApi {
  const call = authCaller(options);
  const issue = async (selector: WorkloadSelector, params: SvidParams): Promise<readonly Credential[]> => {
    const { name, labels } = selector;
    const refusals = workloadRefusals(selector);
    const common = { credential: paramsOf(params), requestedTtl: durationFromMs(params.ttlMs) };
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
    issueX509: async (selector, params) => (await issue(selector, { kind: 'x509', ...params })).flatMap(readX509),
    issueJwt: async (selector, params) => (await issue(selector, { kind: 'jwt', ...params })).flatMap(readJwt),
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

/** From 18 on, an issuer that the cluster's owner configured can sign instead; the response then contains its chain. */
function paramsOf(params: SvidParams) {
  switch (params.kind) {
    case 'x509': {
      const value = { publicKey: publicKeyDer(params.publicKey), useIssuerOverrides: true };
      return { case: 'x509SvidParams' as const, value };
    }
    case 'jwt':
      return { case: 'jwtSvidParams' as const, value: { audiences: [...params.audiences] } };
    default:
      return params satisfies never;
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

// Explains why the Auth Service issued no workload identity.

export function workloadRefusals(selector: WorkloadSelector): Refusals {
  const wanted = describeSelector(selector);
  return new Map([
    [
      'NotFound',
      {
        code: 'RESOURCE_UNKNOWN',
        message: (said) => `the cluster has no ${wanted}: ${said}`,
        hint: 'Compare the name with those of "tctl get workload_identity".',
      },
    ],
    [
      'PermissionDenied',
      {
        code: 'AUTH_DENIED',
        message: (said) => `the Auth Service refused the ${wanted}: ${said}`,
        hint: 'A role of the output must have workload_identity_labels that match it, and a rule with the verbs read and list on workload_identity; its own rules must allow this bot.',
      },
    ],
    [
      'Unimplemented',
      {
        code: 'CLUSTER_UNSUPPORTED',
        message: (said) =>
          `this cluster does not issue workload identities, which Teleport supports from version 17: ${said}`,
        hint: 'Upgrade the cluster, or use an output of the type spiffe-svid.',
      },
    ],
  ]);
}

/** For messages: `workload identity "a"`, or `workload identity with the labels team: ci|ops`. */
export function describeSelector({ name, labels }: WorkloadSelector): string {
  if (name !== undefined) return `workload identity "${name}"`;
  const texts = Object.entries(labels).map(([label, values]) => `${label}: ${values.join('|')}`);
  return `workload identity with the labels ${texts.join(', ')}`;
}
