/** The files of a `database` output. */
import { privateKeyPem } from '../crypto/keys.ts';
import { authorityFiles, type BaseFilesInput, identityAndKeyFiles, specificTlsFiles } from './base-files.ts';
import { authorityFile } from './key-files.ts';
import type { OutputFile } from './output-file.ts';

/** What a client program expects beside the files that every output has. */
export type DatabaseFormat = 'default' | 'tls' | 'mongo' | 'cockroach';

/** In the order in which tbot writes them. */
export function databaseFiles(input: BaseFilesInput, format: DatabaseFormat): readonly OutputFile[] {
  return [...authorityFiles(input.authorities), ...identityAndKeyFiles(input), ...formatFiles(input, format)];
}

function formatFiles(input: BaseFilesInput, format: DatabaseFormat): readonly OutputFile[] {
  switch (format) {
    case 'default':
      return [];
    case 'tls':
      return specificTlsFiles(input);
    case 'mongo':
      return mongoFiles(input);
    case 'cockroach':
      return cockroachFiles(input);
    default:
      return format satisfies never;
  }
}

/** MongoDB's programs want certificate and key in one file. */
function mongoFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  const key = privateKeyPem(identity.keyPair).reveal();
  return [
    { name: 'mongo.crt', contents: `${identity.tlsCertificatePem}${key}` },
    authorityFile('mongo.cas', authorities.database),
  ];
}

/**
 * A `--certs-dir` of CockroachDB. tbot leaves `ca.crt` empty and has the authorities in `ca-client.crt` alone, though
 * its documentation promises `ca.crt`, which is what CockroachDB's programs read first; here both hold them. The pair is
 * named `node`, as tbot and `tctl auth sign` name it. For a user CockroachDB's programs look for `client.<user>.crt` and
 * `.key`, so they need this pair in `sslcert` and `sslkey` in the URL; tbot's names stay, for scripts that do.
 */
function cockroachFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  return [
    { name: 'cockroach/node.crt', contents: identity.tlsCertificatePem },
    { name: 'cockroach/node.key', contents: privateKeyPem(identity.keyPair).reveal() },
    authorityFile('cockroach/ca.crt', authorities.database),
    authorityFile('cockroach/ca-client.crt', authorities.database),
  ];
}
