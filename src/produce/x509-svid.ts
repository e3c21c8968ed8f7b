/** Turns an X.509 SVID from the server into the files of an output. */
import { shortenedLifetime } from '../certs/lifetime.ts';
import type { X509Svid } from '../certs/svid.ts';
import { type CheckedX509Svid, checkX509Svid } from '../certs/x509-svid.ts';
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import type { OutputFile } from '../outputs/output-file.ts';
import { x509SvidFiles } from '../outputs/x509-svid.ts';
import { keyAlgorithm } from '../teleport/suite.ts';
import type { AuthSession } from './cluster-session.ts';
import type { OutputWork } from './work.ts';

export interface X509SvidFiles {
  readonly spiffeId: string;
  readonly files: readonly OutputFile[];
  readonly expiresAtMs: number;
  /** Sentences for a person to read. */
  readonly notices: readonly string[];
}

export interface AskedSvid {
  readonly keyPair: KeyPair;
  readonly svid: CheckedX509Svid;
  /** The end that was asked for. */
  readonly askedMs: number;
  /** PEM of the trust domain's authorities, one block each. */
  readonly bundlePem: readonly string[];
}

/**
 * With a fresh key, and checked.
 * @throws MachineIdError CERTIFICATE_MISMATCH, REPLY_INVALID, or what the calls throw
 */
export async function askForSvid(
  { api }: AuthSession,
  { joined, run }: OutputWork,
  { ask, ttlMs }: Pick<SvidWish, 'ask' | 'ttlMs'>,
): Promise<AskedSvid> {
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

export interface SvidWish {
  readonly ttlMs: number;
  /** Whether the bundle holds the authorities of federated trust domains too. */
  readonly federated: boolean;
  /** For the SVID of a key, on the same session. */
  readonly ask: (key: KeyPair) => Promise<X509Svid>;
}

/** @throws MachineIdError as `askForSvid` does, and CLUSTER_UNSUITABLE */
export async function fetchX509Svid(session: AuthSession, work: OutputWork, wish: SvidWish): Promise<X509SvidFiles> {
  const { federated } = wish;
  const [{ askedMs, bundlePem, keyPair, svid }, revocationList, others] = await Promise.all([
    askForSvid(session, work, wish),
    session.workloads.revocationList(),
    // The bot's own role lets it see them; those of an output need not.
    federated ? work.session.federation.federatedAuthorities() : { certificatesPem: [], unreadable: [] },
  ]);
  return {
    spiffeId: svid.spiffeId,
    files: x509SvidFiles({ keyPair, svid, bundlePem: [...bundlePem, ...others.certificatesPem], revocationList }),
    expiresAtMs: svid.expiresAtMs,
    notices: [
      shortenedLifetime(askedMs, svid.expiresAtMs, 'the most that it gives to a workload'),
      svid.clockNotice,
      ...others.unreadable.map(
        (domain) =>
          `the bundle of the trust domain "${domain}" cannot be read, so its authorities are left out: look at it with "tctl get spiffe_federation"`,
      ),
    ].filter((notice) => notice !== undefined),
  };
}
