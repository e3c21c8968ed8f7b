/** The files that every output for a resource has, whatever else there is. */
import type { Authorities } from '../certs/authorities.ts';
import type { Identity } from '../certs/identity.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import { identityFile } from './identity-file.ts';
import { authorityFile, keyFiles } from './key-files.ts';
import type { OutputFile } from './output-file.ts';

export interface BaseFilesInput {
  readonly identity: Identity;
  readonly authorities: Authorities;
}

/** The identity as one file, then its parts. */
export function identityAndKeyFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  return [{ name: 'identity', contents: identityFile(identity, authorities.host) }, ...keyFiles(identity)];
}

export function authorityFiles({ host, user, database }: Authorities): OutputFile[] {
  return [
    authorityFile('teleport-host-ca.crt', host),
    authorityFile('teleport-user-ca.crt', user),
    authorityFile('teleport-database-ca.crt', database),
  ];
}

/** Under the names that many programs have for them. The authorities are those of the Proxy, which such programs meet. */
export function specificTlsFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  return [
    { name: 'tls.crt', contents: identity.tlsCertificatePem },
    { name: 'tls.key', contents: privateKeyPem(identity.keyPair).reveal() },
    authorityFile('tls.cas', authorities.host),
  ];
}
