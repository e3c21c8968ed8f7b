/** Turns an X.509 SVID from the server into the files of an output. */
import { documentation } from '../schema/keys.ts';
import { shortenedLifetime } from '../auth/issue.ts';
import type { AuthSession } from '../auth/session.ts';
import { type CheckedX509Svid, checkX509Svid, type X509Svid } from '../auth/svid.ts';
import { generateKeyPair, type KeyPair, pkcs8Pem } from '../crypto/keys.ts';
import type { OutputFile } from '../files/destination.ts';
import { keyAlgorithm } from '../teleport/suite.ts';
import type { OutputWork } from './work.ts';

/** The key of `tbot.yaml` that the outputs with an X.509 SVID share. */
export const FEDERATED_HELP = documentation('Adds the authorities of federated trust domains to `svid_bundle.pem`.');

interface X509SvidFiles {
  readonly spiffeId: string;
  readonly files: readonly OutputFile[];
  readonly expiresAtMs: number;
  /** Sentences for a person to read. */
  readonly notices: readonly string[];
}

interface ReceivedSvid {
  readonly keyPair: KeyPair;
  readonly svid: CheckedX509Svid;
  /** The requested expiry. */
  readonly askedMs: number;
  /** PEM of the trust domain's authorities, one block each. */
  readonly bundlePem: readonly string[];
}

/**
 * Requests an SVID for a fresh key, and checks it.
 * @throws MachineIdError CERTIFICATE_MISMATCH, RESPONSE_INVALID, or what the calls throw
 */
export async function requestSvid(
  { api }: AuthSession,
  { joined, run }: OutputWork,
  { ask, ttlMs }: Pick<X509SvidOptions, 'ask' | 'ttlMs'>,
): Promise<ReceivedSvid> {
  const { clusterName: trustDomain } = joined.bot;
  const { clock } = run.world;
  const askedMs = clock.nowMs() + ttlMs;
  const keys = generateKeyPair(keyAlgorithm(joined.cluster.suite));
  const [keyPair, answer, authorities] = await Promise.all([keys, keys.then(ask), api.certAuthorities('spiffe')]);
  const bundlePem = authorities
    .filter(({ clusterName }) => clusterName === trustDomain)
    .flatMap(({ tlsCertificatesPem }) => tlsCertificatesPem);
  const { publicKey } = keyPair;
  const expected = { publicKey, trustDomain, authoritiesPem: bundlePem, askedMs, nowMs: clock.nowMs() };
  return {
    keyPair,
    askedMs,
    svid: checkX509Svid(answer, expected),
    bundlePem,
  };
}

interface X509SvidOptions {
  readonly ttlMs: number;
  /** Whether the bundle also contains the authorities of federated trust domains. */
  readonly federated: boolean;
  /** For the SVID of a key, on the same session. */
  readonly ask: (key: KeyPair) => Promise<X509Svid>;
}

/** @throws MachineIdError as `askForSvid` does, and CLUSTER_UNSUPPORTED */
export async function fetchX509Svid(
  session: AuthSession,
  work: OutputWork,
  wish: X509SvidOptions,
): Promise<X509SvidFiles> {
  const { federated } = wish;
  const [{ askedMs, bundlePem, keyPair, svid }, revocationList, others] = await Promise.all([
    requestSvid(session, work, wish),
    session.workloads.revocationList(),
    // The bot's own role lets it see them; those of an output need not.
    federated ? work.session.federation.federatedAuthorities() : { certificatesPem: [], unreadable: [] },
  ]);
  return {
    spiffeId: svid.spiffeId,
    files: x509SvidFiles({ keyPair, svid, bundlePem: [...bundlePem, ...others.certificatesPem], revocationList }),
    expiresAtMs: svid.expiresAtMs,
    notices: [
      shortenedLifetime(askedMs, svid.expiresAtMs, 'its maximum for a workload'),
      svid.clockNotice,
      ...others.unreadable.map(
        (domain) =>
          `the bundle of the trust domain "${domain}" cannot be read, so its authorities are left out: look at it with "tctl get spiffe_federation"`,
      ),
    ].filter((notice) => notice !== undefined),
  };
}

// The files of an X.509 SVID, as SPIFFE's own helpers name them.

interface X509SvidFilesInput {
  readonly keyPair: KeyPair;
  readonly svid: Pick<CheckedX509Svid, 'certificatesPem'>;
  /** PEM of the trust domain's authorities, one block each. */
  readonly bundlePem: readonly string[];
  /** DER; undefined when the cluster has no list of revoked SVIDs. */
  readonly revocationList: Uint8Array | undefined;
}

/** In the order in which tbot writes them. */
export function x509SvidFiles({ keyPair, svid, bundlePem, revocationList }: X509SvidFilesInput): readonly OutputFile[] {
  return [
    { name: 'svid_key.pem', contents: pkcs8Pem(keyPair).reveal() },
    { name: 'svid.pem', contents: svid.certificatesPem.join('') },
    { name: 'svid_bundle.pem', contents: bundlePem.join('') },
    ...(revocationList === undefined || revocationList.length === 0
      ? []
      : [{ name: 'svid_crl.pem', contents: pemBlock('X509 CRL', revocationList) }]),
  ];
}

// Writes PEM (RFC 7468).

const LINE_LENGTH = 64;

/** One block that ends with a line break. */
function pemBlock(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g'));
  return [`-----BEGIN ${label}-----`, ...(lines ?? []), `-----END ${label}-----`, ''].join('\n');
}
