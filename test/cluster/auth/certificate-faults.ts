/** Spoils a certificate before it is issued, as a test requests. */
import { createPublicKey } from 'node:crypto';
import { createKey } from '../crypto/keys.ts';
import { LEAF_CLUSTER_NAMES } from '../data/data.ts';
import type { CertificateFault } from '../faults.ts';
import type { IssueRequest } from './issue.ts';
import type { Identity } from '../data/identity.ts';
import type { PublicKeys } from './public-keys.ts';

const HOUR_MS = 60 * 60 * 1000;

export async function spoil(request: IssueRequest, fault: CertificateFault | undefined): Promise<IssueRequest> {
  const now = Date.now();
  switch (fault) {
    case undefined:
      return request;
    case 'for-other-key':
      return { ...request, keys: await otherKeys(request.keys) };
    case 'ssh-for-other-key':
      return { ...request, keys: { ...request.keys, ssh: (await otherKeys(request.keys)).ssh } };
    case 'tls-for-other-key':
      return { ...request, keys: { ...request.keys, tls: (await otherKeys(request.keys)).tls } };
    case 'of-other-cluster':
      return { ...request, cluster: LEAF_CLUSTER_NAMES[0] ?? request.cluster };
    case 'for-other-user':
      return { ...request, identity: { ...request.identity, userName: 'bot-somebody-else' } };
    case 'for-other-roles':
      return { ...request, identity: { ...request.identity, roles: ['auditor'] } };
    case 'routed-elsewhere':
      return { ...request, identity: routedElsewhere(request.identity) };
    case 'expired':
      return { ...request, notBefore: new Date(now - 2 * HOUR_MS), notAfter: new Date(now - HOUR_MS) };
    case 'not-yet-valid':
      return { ...request, notBefore: new Date(now + HOUR_MS), notAfter: new Date(now + 2 * HOUR_MS) };
    case 'begins-in-a-minute':
      return { ...request, notBefore: new Date(now + 65_000) };
    case 'until-2049':
      return { ...request, notAfter: new Date('2049-12-31T23:59:59Z') };
    case 'until-9999':
      return { ...request, notAfter: new Date('9999-12-31T23:59:59Z') };
    case 'ssh-forever':
      return { ...request, sshForever: true };
  }
}

/** Routes to another resource of the same kind; an identity without a route is unchanged. */
function routedElsewhere(identity: Identity): Identity {
  const { kubernetes, database, application } = identity;
  return {
    ...identity,
    kubernetes: { ...kubernetes, cluster: kubernetes.cluster && 'elsewhere' },
    database: database && { ...database, service: 'elsewhere' },
    application: application && { ...application, name: 'elsewhere' },
  };
}

async function otherKeys(asked: PublicKeys): Promise<PublicKeys> {
  const key = createPublicKey(await createKey(asked.tls?.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec'));
  return { ssh: asked.ssh && key, tls: asked.tls && key };
}
