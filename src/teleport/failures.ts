/** Turns failed connections into errors that say what to do. */
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { authCertificateCauses, connectionCauses } from './likely-causes.ts';
import { networkFault } from './network-error.ts';
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
  // Its port is that of the Proxy, which has been reached.
  const reached = { ...address, port: 443 };
  const likelyCauses = connectionCauses(reached, cause);
  const passing = fault.mayPass ? {} : undefined;
  switch (fault.kind) {
    case 'untrusted':
      return new MachineIdError(
        'AUTH_UNTRUSTED',
        `${where} shows a certificate that the cluster's host authority did not sign: ${fault.detail}`,
        {
          hint: 'Something between this job and the cluster answers in place of the Auth Service (a proxy that opens TLS, a load balancer), or the host authority was rotated during the run: run the job again, then look there.',
          cause,
          likelyCauses: authCertificateCauses(reached, cause),
        },
      );
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
        hint: 'The Auth Service is reached through the web port of the Proxy (TLS routing): something on the way may drop ALPN, as load balancers that open TLS do. "doctor --egress" shows which connections are open.',
        cause,
        likelyCauses,
        passing,
      });
    default:
      return fault.kind satisfies never;
  }
}
