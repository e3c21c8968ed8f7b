/** What the requests to HTTP and SOCKS proxies have in common: what they ask for, and how they fail. */
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { type EgressProxy, proxyName } from './egress-proxy.ts';
import { networkFailure } from './network-error.ts';

export interface TunnelRequest {
  readonly proxy: EgressProxy;
  readonly target: Address;
  readonly signal: AbortSignal;
}

interface FailureDetails {
  readonly hint: string;
  readonly cause?: unknown;
  /** Whether the same request may succeed later. */
  readonly isTransient?: boolean;
}

export function egressFailure(message: string, { hint, cause, isTransient = false }: FailureDetails): MachineIdError {
  return new MachineIdError('EGRESS_PROXY_FAILED', message, { hint, cause, transient: isTransient ? {} : undefined });
}

/** For a connection that ends before the answer is complete. */
export function endedEarly({ proxy, target }: TunnelRequest, cause: unknown): MachineIdError {
  const { detail } = networkFailure(cause);
  return egressFailure(
    `${proxyName(proxy)} closed the connection instead of answering the request for ${formatAddress(target)}: ${detail}`,
    {
      hint: `Check the scheme and the port in ${proxy.variable}, and the log of the proxy: it may refuse this job or this server.`,
      cause,
      isTransient: true,
    },
  );
}
