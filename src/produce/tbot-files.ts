/** The names of the files that tbot writes for each type of output. */
import type { SupportedOutput } from '../config/supported.ts';
import { WRITE_TEST } from '../outputs/key-files.ts';

export interface TbotFiles {
  /** What every version since 15 writes, in the order of this program's own. */
  readonly required: readonly string[];
  /** What some versions write, or some clusters give rise to. */
  readonly optional: readonly string[];
  /** Of names that begin with a cluster's name. */
  readonly optionalEndings: readonly string[];
}

const AUTHORITIES = ['teleport-host-ca.crt', 'teleport-user-ca.crt', 'teleport-database-ca.crt'];
const IDENTITY = ['identity', 'key-cert.pub', 'tlscert', 'key', 'key.pub'];

export function tbotFiles(output: SupportedOutput): TbotFiles {
  switch (output.type) {
    case 'identity':
      return output.sshConfig
        ? files([...AUTHORITIES, ...IDENTITY, 'known_hosts', 'ssh_config'], [], ['.ssh_config', '.known_hosts'])
        : files([...AUTHORITIES, ...IDENTITY]);
    case 'application':
      return files([
        ...IDENTITY,
        ...(output.specificTlsNaming ? ['tls.crt', 'tls.key', 'tls.cas'] : []),
        ...AUTHORITIES,
      ]);
    case 'database':
      return files([...AUTHORITIES, ...IDENTITY, ...DATABASE_FILES[output.format]], ['cockroach/ca-client.crt']);
    case 'kubernetes':
      return files([...IDENTITY, ...AUTHORITIES, 'kubeconfig.yaml']);
    case 'kubernetes/v2':
      return files([...IDENTITY, 'kubeconfig.yaml', 'teleport-host-ca.crt']);
    case 'ssh_host':
      return files(['ssh_host-cert.pub', 'ssh_host', 'ssh_host-user-ca.pub']);
    case 'spiffe-svid':
      return files([...SVID, ...output.jwts.map(({ fileName }) => fileName)], ['svid_crl.pem']);
    case 'workload-identity-x509':
      return files(SVID, ['svid_crl.pem']);
    case 'workload-identity-jwt':
      return files(['jwt_svid']);
    case 'workload-identity-aws-roles-anywhere':
      return files([output.artifactName]);
    default:
      return output satisfies never;
  }
}

const SVID = ['svid_key.pem', 'svid.pem', 'svid_bundle.pem'];

const DATABASE_FILES = {
  default: [],
  tls: ['tls.crt', 'tls.key', 'tls.cas'],
  mongo: ['mongo.crt', 'mongo.cas'],
  cockroach: ['cockroach/node.crt', 'cockroach/node.key', 'cockroach/ca.crt'],
} as const;

function files(
  required: readonly string[],
  optional: readonly string[] = [],
  optionalEndings: readonly string[] = [],
): TbotFiles {
  return { required, optional: [...optional, WRITE_TEST.name], optionalEndings };
}
