/** Turns failed connections into errors that say what to do. */
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { connectionCauses } from './likely-causes.ts';
import { causes, errorCode, networkFault } from './network-error.ts';
import type { WebTrust } from './trust.ts';

/** A connection to the Proxy's web address that failed; a MachineIdError passes through as it is. */
export function proxyFailure(
  address: Address,
  cause: unknown,
  { weakness }: Pick<WebTrust, 'weakness'> = {},
): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const fault = networkFault(cause);
  const where = `the Proxy ${formatAddress(address)}`;
  const likelyCauses = connectionCauses(address, cause);
  const passing = fault.mayPass ? {} : undefined;
  switch (fault.kind) {
    case 'name':
      return new MachineIdError('PROXY_UNREACHABLE', `the host name of ${where} cannot be looked up: ${fault.detail}`, {
        hint: 'Check the spelling of the Proxy address; a private name needs a runner that can resolve it.',
        cause,
        likelyCauses,
        passing,
        unreached: address,
      });
    case 'untrusted':
      return new MachineIdError('PROXY_UNTRUSTED', `the web certificate of ${where} is not trusted: ${fault.detail}`, {
        hint: 'If a private authority signs it, give its PEM with --ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS; if the name differs, use the name in the certificate.',
        cause,
        likelyCauses: [...(weakness === undefined ? [] : [weakness]), ...likelyCauses],
      });
    case 'refused-by-peer':
    case 'wrong-protocol':
    case 'unreachable':
      return new MachineIdError('PROXY_UNREACHABLE', `cannot connect to ${where}: ${fault.detail}`, {
        hint: 'Check host and port (the web port of the Proxy, usually 443 or 3080) and that this job may reach it: "doctor --egress" tries every connection of the job.',
        cause,
        likelyCauses,
        passing,
        unreached: fault.kind === 'unreachable' ? address : undefined,
      });
    default:
      return fault.kind satisfies never;
  }
}

/** A connection to the Auth Service through the Proxy that failed; a MachineIdError passes through as it is. */
export function authFailure(address: Address, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const fault = networkFault(cause);
  const where = `the Auth Service behind ${formatAddress(address)}`;
  if (isAboutAlpn(cause)) return endsTls('AUTH_UNREACHABLE', where, cause);
  // Its port is that of the Proxy, which has been reached.
  const reached = { ...address, port: 443 };
  const likelyCauses = connectionCauses(reached, cause);
  switch (fault.kind) {
    case 'untrusted':
      return isOfTime(cause)
        ? new MachineIdError('AUTH_UNTRUSTED', `${where} shows a certificate that is not valid now: ${fault.detail}`, {
            hint: 'Check that the clocks of runner and cluster agree.',
            cause,
            likelyCauses,
          })
        : endsTls('AUTH_UNTRUSTED', where, cause);
    case 'refused-by-peer':
      return new MachineIdError('AUTH_DENIED', `${where} refused the certificate of the bot: ${fault.detail}`, {
        hint: 'Check that the bot is not locked and that the clocks of runner and cluster agree.',
        cause,
        likelyCauses,
      });
    case 'name':
    case 'wrong-protocol':
    case 'unreachable':
      return new MachineIdError('AUTH_UNREACHABLE', `no connection to ${where}: ${fault.detail}`, {
        hint: 'The Auth Service is reached through the web port of the Proxy (TLS routing): something on the way may drop ALPN, as load balancers that terminate TLS do.',
        cause,
        likelyCauses,
        passing: fault.mayPass ? {} : undefined,
      });
    default:
      return fault.kind satisfies never;
  }
}

/**
 * A connection to the Proxy's transport service that failed, where the Proxy shows a certificate of the cluster's host
 * authority; a MachineIdError passes through as it is.
 */
export function transportFailure(address: Address, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  const where = `the transport service of the Proxy ${formatAddress(address)}`;
  if (isAboutAlpn(cause)) return endsTls('PROXY_UNREACHABLE', where, cause);
  const isUntrusted = networkFault(cause).kind === 'untrusted' && !isOfTime(cause);
  return isUntrusted ? endsTls('PROXY_UNTRUSTED', where, cause) : proxyFailure(address, cause);
}

/**
 * Where Teleport's ALPN reaches the Proxy, what answers has a certificate of the host authority and accepts that ALPN: a
 * load balancer of layer 7 (or an inspecting proxy) has neither.
 */
export function endsTls(
  code: 'AUTH_UNTRUSTED' | 'AUTH_UNREACHABLE' | 'PROXY_UNTRUSTED' | 'PROXY_UNREACHABLE',
  where: string,
  cause: unknown,
): MachineIdError {
  const { detail, kind } = networkFault(cause);
  const seen = kind === 'untrusted' ? `the certificate is not of the cluster's host authority: ${detail}` : detail;
  return new MachineIdError(
    code,
    `${where} cannot be reached: what answers terminates TLS and drops Teleport's ALPN, as a layer 7 load balancer does (${seen})`,
    {
      hint: 'Give an address that reaches the Proxy itself, or let the load balancer pass TLS through to the Proxy (layer 4); exempt the host from TLS inspection.',
      cause,
      likelyCauses: [
        'a load balancer in front of the Proxy terminates TLS, such as an AWS ALB, an ingress controller or nginx',
        'an HTTP proxy or a firewall inspects TLS with a certificate of its own',
        ...(kind === 'untrusted' ? ['the host authority was rotated since the bot has joined: run the job again'] : []),
      ],
    },
  );
}

/** The alert of a server that knows none of the protocols, and what OpenSSL says of one that was not offered. */
function isAboutAlpn(error: unknown): boolean {
  return causes(error).some((one) => /NO_APPLICATION_PROTOCOL|BAD_EXTENSION/.test(errorCode(one)));
}

function isOfTime(error: unknown): boolean {
  return causes(error).some((one) => /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(errorCode(one)));
}
