/** The files of an X.509 SVID, as SPIFFE's own helpers name them. */
import type { CheckedX509Svid } from '../certs/x509-svid.ts';
import { type KeyPair, pkcs8Pem } from '../crypto/keys.ts';
import type { OutputFile } from './output-file.ts';
import { pemBlock } from './pem.ts';

export interface X509SvidFilesInput {
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
