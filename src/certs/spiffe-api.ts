/** The calls by which servers up to 17 sign SVIDs that no resource of the cluster describes. */
import type { KeyObject } from 'node:crypto';
import { publicKeyDer } from '../crypto/keys.ts';
import { WorkloadIdentityService } from '../teleport/gen/teleport/machineid/v1/workload_identity_service_pb.ts';
import type { GrpcConnection } from '../teleport/grpc.ts';
import { durationFromMs } from '../teleport/protobuf-time.ts';
import { type AuthCallOptions, authCaller, type Refusal, type Refusals } from './auth-call.ts';
import type { JwtSvid, X509Svid } from './svid.ts';

/** What the workload is to be called. */
export interface SpiffeName {
  /** Begins with `/`. */
  readonly path: string;
  readonly hint: string | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** Every call throws MachineIdError as those of `AuthApi` do, and CLUSTER_UNSUITABLE. */
export interface SpiffeApi {
  signX509(name: SpiffeName, wish: { publicKey: KeyObject; ttlMs: number }): Promise<X509Svid | undefined>;
  /** Servers from 16 on. */
  signJwt(name: SpiffeName, wish: { audience: string; ttlMs: number }): Promise<JwtSvid | undefined>;
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
      const answer = await call(
        'SignX509SVIDs',
        (at) => connection.call(WorkloadIdentityService.signX509SVIDs, { svids: [svid] }, at),
        X509_REFUSALS,
      );
      const [signed] = answer.svids;
      return signed && { spiffeId: signed.spiffeId, certificate: signed.certificate, chain: [] };
    },
    signJwt: async ({ path, hint = '' }, { audience, ttlMs }) => {
      const svid = { spiffeIdPath: path, audiences: [audience], hint, ttl: durationFromMs(ttlMs) };
      const answer = await call(
        'SignJWTSVIDs',
        (at) => connection.call(WorkloadIdentityService.signJWTSVIDs, { svids: [svid] }, at),
        JWT_REFUSALS,
      );
      const [signed] = answer.svids;
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
      code: 'CLUSTER_UNSUITABLE',
      message: (said) => `this cluster signs no SVIDs for spiffe-svid, as Teleport does up to 17: ${said}`,
      hint: 'Use an output of the type workload-identity-x509.',
    },
  ],
]);

const JWT_REFUSALS: Refusals = new Map([
  ['PermissionDenied', DENIED],
  [
    'Unimplemented',
    {
      code: 'CLUSTER_UNSUITABLE',
      message: (said) => `this cluster signs no JWTs for spiffe-svid, as Teleport 16 and 17 do: ${said}`,
      hint: 'Remove "jwts" from the output, or upgrade the cluster.',
    },
  ],
]);
