/** Names of the files that outputs have in common, in the order in which tbot writes them. */

export const AUTHORITY_FILES = ['teleport-host-ca.crt', 'teleport-user-ca.crt', 'teleport-database-ca.crt'];

export const IDENTITY_FILES = ['identity', 'key-cert.pub', 'tlscert', 'key', 'key.pub'];

/** The empty file by which tbot tries whether it may write; as values, outputs have it behind those of the identity. */
export const WRITE_TEST = '.write-test';
