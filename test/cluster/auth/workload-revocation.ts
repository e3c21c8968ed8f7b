/** The signed list of revoked workload identities, sent at once and after every change. */
import type { GrpcServer } from './grpc.ts';
import { ownAuthority, type World } from '../world.ts';
import { signRevocationList } from '../crypto/x509.ts';

const SERVICE = 'teleport.workloadidentity.v1.WorkloadIdentityRevocationService';

/** Serial numbers of revoked documents, in hexadecimal. */
export const REVOKED_SERIAL_NUMBERS: readonly string[] = ['0a0b0c0d'];

/** Nothing is revoked while the cluster runs, so the stream stays open after the first list. */
export function serveWorkloadRevocation(server: GrpcServer, world: World): void {
  server.addServerStream(SERVICE, 'StreamSignedCRL', (send) => {
    send({ crl: signRevocationList(ownAuthority(world, 'spiffe').tls, REVOKED_SERIAL_NUMBERS) });
    return Promise.resolve('open');
  });
}
