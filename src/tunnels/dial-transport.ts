/** Opens the Proxy's transport service with an identity on disk. */
import type { Retries } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import { withDeadline } from '../effects/deadline.ts';
import { type Address, formatAddress } from '../teleport/address.ts';
import { API_DOMAIN } from '../teleport/cluster-name.ts';
import { dialTls } from '../teleport/dial.ts';
import { transportFailure } from '../teleport/failures.ts';
import { type BulkCall, openBulkCall } from '../teleport/grpc-stream.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';

export interface TransportDial {
  /** The web address with TLS routing, else the Proxy's SSH listener: both speak gRPC on this ALPN value. */
  readonly address: Address;
  /** PEM, exactly one certificate. */
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
  /** PEM of the host authorities: here the Proxy shows its Teleport certificate, not the web one. */
  readonly hostAuthoritiesPem: readonly string[];
  readonly retries: Retries;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

/**
 * The Proxy routes by the first value. Versions 15 and 16 then choose none, later ones `h2` (gravitational/teleport
 * 41500, 43473); HTTP/2 follows either way. The server name is the Proxy's host, as tbot sends it.
 */
export const ALPN = ['teleport-proxy-ssh-grpc', 'h2'];

/**
 * Dials again as the policy says.
 * @param path of the call: `/package.Service/Method`
 * @throws MachineIdError PROXY_UNREACHABLE, PROXY_UNTRUSTED, TIMEOUT
 */
export function dialTransport(dial: TransportDial, path: string): Promise<BulkCall> {
  return dial.retries.run(() => dialOnce(dial, path));
}

async function dialOnce(dial: TransportDial, path: string): Promise<BulkCall> {
  const { address, retries, signal: outer } = dial;
  const waitingFor = `the Proxy ${formatAddress(address)}`;
  const wire = dial.trace?.connection('transport service');
  const socket = await withDeadline(
    { waitingFor, unreached: address, timeoutMs: retries.attemptMs(), signal: outer },
    async (signal) => {
      try {
        return await dialTls({
          address,
          certificateName: API_DOMAIN,
          alpn: ALPN,
          ca: dial.hostAuthoritiesPem,
          client: { certificate: dial.certificatePem, key: dial.privateKeyPem.reveal() },
          signal,
          wire,
        });
      } catch (error) {
        signal.throwIfAborted();
        throw transportFailure(address, error);
      }
    },
  );
  return openBulkCall(socket, API_DOMAIN, path, wire);
}
