/** Turns an X.509 SVID from the server into the files of an output. */
import { shortenedLifetime } from '../certs/lifetime.ts';
import type { X509Svid } from '../certs/svid.ts';
import { checkX509Svid } from '../certs/x509-svid.ts';
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
  readonly notice: string | undefined;
}

/**
 * @param ask for the SVID of a key, on the same session
 * @throws MachineIdError CERTIFICATE_MISMATCH, REPLY_INVALID, or what the calls throw
 */
export async function fetchX509Svid(
  { api, workloads }: AuthSession,
  { joined, run }: OutputWork,
  { ttlMs, ask }: { readonly ttlMs: number; readonly ask: (key: KeyPair) => Promise<X509Svid> },
): Promise<X509SvidFiles> {
  const { clock } = run.world;
  const { clusterName: trustDomain } = joined.bot;
  const askedMs = clock.nowMs() + ttlMs;
  const keys = generateKeyPair(keyAlgorithm(joined.cluster.suite));
  const [keyPair, answer, authorities, revocationList] = await Promise.all([
    keys,
    keys.then(ask),
    api.certAuthorities('spiffe'),
    workloads.revocationList(),
  ]);
  const bundlePem = authorities
    .filter(({ clusterName }) => clusterName === trustDomain)
    .flatMap(({ tlsCertificatesPem }) => tlsCertificatesPem);
  const { publicKey } = keyPair;
  const svid = checkX509Svid(answer, { publicKey, trustDomain, authoritiesPem: bundlePem, nowMs: clock.nowMs() });
  return {
    spiffeId: svid.spiffeId,
    files: x509SvidFiles({ keyPair, svid, bundlePem, revocationList }),
    expiresAtMs: svid.expiresAtMs,
    notice: shortenedLifetime(askedMs, svid.expiresAtMs, 'the most that it gives to a workload'),
  };
}
