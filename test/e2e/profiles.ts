/** The Teleport versions that the bundle is tested with, and how they differ. */

export interface VersionFacts {
  readonly teleport: string;
  readonly joinPath: 'join-service' | 'legacy';
  /** Whether the join service is asked and responds that it does not support CircleCI. */
  readonly fallsBack: boolean;
  /** `ssh-keygen`'s name for the key type of the version. */
  readonly keyType: 'RSA' | 'ECDSA';
  /** The fields in which GenerateUserCerts gets the public key. */
  readonly keyFields: { readonly one: boolean; readonly ssh: boolean; readonly tls: boolean };
}

const ONE_KEY = { one: true, ssh: false, tls: false };
const TWO_KEYS = { one: false, ssh: true, tls: true };

export const VERSIONS: readonly VersionFacts[] = [
  { teleport: '15.3.7', joinPath: 'legacy', fallsBack: false, keyType: 'RSA', keyFields: ONE_KEY },
  { teleport: '16.4.0', joinPath: 'legacy', fallsBack: false, keyType: 'RSA', keyFields: ONE_KEY },
  { teleport: '17.4.2', joinPath: 'legacy', fallsBack: false, keyType: 'ECDSA', keyFields: TWO_KEYS },
  { teleport: '18.2.4', joinPath: 'legacy', fallsBack: true, keyType: 'ECDSA', keyFields: TWO_KEYS },
  { teleport: '18.6.0', joinPath: 'join-service', fallsBack: false, keyType: 'ECDSA', keyFields: TWO_KEYS },
  { teleport: '19.0.0', joinPath: 'join-service', fallsBack: false, keyType: 'ECDSA', keyFields: TWO_KEYS },
];
