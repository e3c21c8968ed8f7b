/** What to trust at an Auth Service before the join, when nothing of the cluster is known yet (protocol reference 2.6). */
import { publicKeyDer } from '../crypto/keys.ts';
import { sha256Hex } from '../crypto/digest.ts';
import { utcTime } from '../crypto/validity.ts';
import { readCertificate, splitCertificates } from '../crypto/x509.ts';
import { MachineIdError } from '../errors.ts';
import type { GrpcConnection } from '../grpc/client.ts';
import { AuthService } from '../grpc/gen/teleport/legacy/authservice_pb.ts';
import { hostAuthoritiesIn } from '../net/trust.ts';
import type { AuthCaller } from './auth-call.ts';

/** Teleport's own programs only warn about `none`. */
export type AuthTrust =
  | { readonly kind: 'insecure' }
  /** `sha256:` and 64 lowercase hexadecimal digits. */
  | { readonly kind: 'pins'; readonly pins: readonly string[] }
  /** PEM. */
  | { readonly kind: 'authorities'; readonly authorities: readonly string[] }
  | { readonly kind: 'none' };

export interface AuthTrustSettings {
  readonly insecure: boolean;
  readonly settings: { readonly caPins?: readonly string[] | undefined; readonly caPath?: string | undefined };
}

/** @throws MachineIdError CA_FILE_INVALID */
export async function readAuthTrust(
  { insecure, settings: { caPath, caPins = [] } }: AuthTrustSettings,
  readText: (path: string) => Promise<string>,
): Promise<AuthTrust> {
  if (insecure) return { kind: 'insecure' };
  if (caPins.length > 0) return { kind: 'pins', pins: caPins };
  if (caPath === undefined) return { kind: 'none' };
  return { kind: 'authorities', authorities: await hostAuthoritiesIn(caPath, 'ca_path', readText) };
}

/** How to check the certificate of the Auth Service. */
export interface AuthVerification {
  readonly verify: boolean;
  /** PEM of the only trusted authorities. */
  readonly authorities: readonly string[];
}

/**
 * @param connection not verified: nothing that is secret may be sent on it
 * @param name of the Auth Service, for messages
 * @throws MachineIdError CA_PIN_MISSING, CA_PIN_MISMATCH, AUTH_UNTRUSTED, or what the call throws
 */
export async function verificationBy(
  trust: AuthTrust,
  { call, connection, name, nowMs }: PinnedConnection,
): Promise<AuthVerification> {
  switch (trust.kind) {
    case 'insecure':
      return { verify: false, authorities: [] };
    case 'authorities':
      return { verify: true, authorities: trust.authorities };
    case 'pins': {
      const { tlsCa } = await call('GetClusterCACert', (at) => connection.call(AuthService.getClusterCACert, {}, at));
      return {
        verify: true,
        authorities: pinnedAuthorities(Buffer.from(tlsCa).toString('utf8'), trust.pins, name, nowMs),
      };
    }
    case 'none':
      throw new MachineIdError(
        'CA_PIN_MISSING',
        `nothing says how to recognize ${name}: there is neither a CA pin nor a CA file`,
        {
          hint: 'Set onboarding.ca_pins (or --ca-pin) to the pin that "tctl status" prints, or onboarding.ca_path (or --ca-path) to a file with the host authority. Or join through the Proxy: set proxy_server.',
        },
      );
    default:
      return trust satisfies never;
  }
}

/** Whether an Auth Service has responded, but is not the expected one. */
export function isAboutTrust({ code }: MachineIdError): boolean {
  return code === 'CA_PIN_MISSING' || code === 'CA_PIN_MISMATCH' || code === 'AUTH_UNTRUSTED';
}

interface PinnedConnection {
  readonly connection: Pick<GrpcConnection, 'call'>;
  readonly call: AuthCaller;
  readonly name: string;
  readonly nowMs: number;
}

/**
 * Every certificate must match one of the pins and must not have expired: one that does not could vouch for anyone.
 * @param bundle PEM, as the server returned it
 * @throws MachineIdError CA_PIN_MISMATCH, AUTH_UNTRUSTED, RESPONSE_INVALID
 */
export function pinnedAuthorities(
  bundle: string,
  pins: readonly string[],
  name: string,
  nowMs: number,
): readonly string[] {
  const authorities = splitCertificates(bundle).map((pem) => readCertificate(pem));
  const found = authorities.map(({ publicKey }) => `sha256:${sha256Hex(publicKeyDer(publicKey))}`);
  const foreign = found.filter((pin) => !pins.includes(pin));
  if (found.length === 0 || foreign.length > 0) {
    const what =
      found.length === 0
        ? 'it returns no authority'
        : `it has the pin${foreign.length === 1 ? '' : 's'} ${foreign.join(', ')}`;
    throw new MachineIdError('CA_PIN_MISMATCH', `${name} does not match ca_pins: ${what}`, {
      likelyCauses: [
        'the pin is from another cluster, or from before a rotation of the host authority',
        'the host authority is being rotated: it has two pins then, and both must be listed',
        'another server responds in place of the Auth Service',
      ],
      hint: 'Compare onboarding.ca_pins (or --ca-pin) with all pins that "tctl status" prints on the Auth Service. No token was sent.',
    });
  }
  const expired = authorities.find(({ notAfterMs }) => notAfterMs <= nowMs);
  if (expired === undefined) return authorities.map(({ pem }) => pem);
  throw new MachineIdError(
    'AUTH_UNTRUSTED',
    `the host authority of ${name} expired at ${utcTime(expired.notAfterMs)}`,
    {
      hint: "Check this machine's clock, or rotate the host authority (tctl auth rotate --type=host).",
    },
  );
}
