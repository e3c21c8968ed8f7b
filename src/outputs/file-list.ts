/** How an output type declares its files: for the documentation, and to find what tbot has written. */
import { documentation } from '../schema/keys.ts';

/** @typeParam O the outputs of the type */
export interface FileInfo<O> {
  /** Relative to the destination; `<cluster>` stands for the name of any cluster. */
  readonly name: string;
  /** What is in it. */
  readonly help: string | undefined;
  /** When it is written, for the documents: `with` or `unless`, and a setting. */
  readonly setting?: string;
  readonly isWritten?: (output: O) => boolean;
  /** Where the configuration names the file, or several. */
  readonly names?: (output: O) => readonly string[];
  /** Whether only some versions write it, or only for some clusters. */
  readonly isOptional?: boolean;
}

/** Those files, but only with a setting. */
export function onlyWith<O>(
  setting: string,
  isWritten: (output: O) => boolean,
  files: readonly FileInfo<O>[],
): readonly FileInfo<O>[] {
  return files.map((file) => ({ ...file, setting, isWritten }));
}

export interface FileNames {
  /** What every version since 15 writes, in the order of this program. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** What optional names end in that begin with the name of a cluster. */
  readonly optionalEndings: readonly string[];
}

export function fileNames<O>(files: readonly FileInfo<O>[], output: O): FileNames {
  const written = files
    .filter(({ isWritten }) => isWritten?.(output) ?? true)
    .flatMap(({ isOptional = false, name, names }) =>
      (names?.(output) ?? [name]).map((one) => ({ isOptional, name: one })),
    );
  const ofClusters = written.filter(({ name }) => name.startsWith(ANY_CLUSTER));
  const named = written.filter(({ name }) => !name.startsWith(ANY_CLUSTER));
  return {
    required: named.filter(({ isOptional }) => !isOptional).map(({ name }) => name),
    optional: named.filter(({ isOptional }) => isOptional).map(({ name }) => name),
    optionalEndings: ofClusters.map(({ name }) => name.slice(ANY_CLUSTER.length)),
  };
}

const ANY_CLUSTER = '<cluster>';

// The files that several types have in common.

export const AUTHORITY_FILES: readonly FileInfo<object>[] = [
  {
    name: 'teleport-host-ca.crt',
    help: documentation("Authorities of the cluster's own services, and of its leaf clusters"),
  },
  { name: 'teleport-user-ca.crt', help: documentation('Authorities of users') },
  { name: 'teleport-database-ca.crt', help: documentation('Authorities of database servers') },
];

export const IDENTITY_FILES: readonly FileInfo<object>[] = [
  {
    name: 'identity',
    help: documentation('Key, both certificates and the host authorities in one, for `tctl`, `tsh` and Terraform'),
  },
  { name: 'key-cert.pub', help: documentation('The SSH certificate') },
  { name: 'tlscert', help: documentation('The TLS certificate') },
  { name: 'key', help: documentation('The private key, in PEM') },
  { name: 'key.pub', help: documentation("The public key, in OpenSSH's format") },
];

/** Under the names that many programs have for them. */
export const TLS_FILES: readonly FileInfo<object>[] = [
  { name: 'tls.crt', help: documentation('The TLS certificate') },
  { name: 'tls.key', help: documentation('The private key') },
  { name: 'tls.cas', help: documentation('The host authorities') },
];

export const KUBECONFIG_FILES: readonly FileInfo<object>[] = [
  { name: 'kubeconfig.yaml', help: documentation('Configuration for kubectl, Helm and client libraries') },
];

export const X509_SVID_FILES: readonly FileInfo<object>[] = [
  { name: 'svid_key.pem', help: documentation('The private key, in PKCS#8') },
  { name: 'svid.pem', help: documentation('The X.509 SVID, and its chain if your own issuer signs') },
  { name: 'svid_bundle.pem', help: documentation("The authorities of the trust domain, which is the cluster's name") },
  { name: 'svid_crl.pem', help: documentation('The revoked SVIDs, if the cluster keeps a list'), isOptional: true },
];
