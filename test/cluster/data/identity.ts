/** A Teleport identity and the certificate subject that carries it. */
import { encodeName, OID } from '../crypto/subject-name.ts';
import { attributesOf, subjectOf } from '../crypto/x509.ts';

export interface Identity {
  readonly userName: string;
  readonly roles: readonly string[];
  readonly principals: readonly string[];
  readonly routeToCluster: string;
  readonly botName: string;
  /** Restrictions such as `usage:kube`. */
  readonly usages: readonly string[];
  readonly botInstanceId: string | undefined;
  /** JSON text about the bot's join. */
  readonly joinAttributes: string | undefined;
  /** The user behind a role-impersonated identity. */
  readonly impersonator: string | undefined;
  readonly disallowReissue: boolean;
  readonly loginIp: string;
  readonly kubernetes: KubernetesAccess;
  /** The database that the identity is routed to. */
  readonly database: DatabaseRoute | undefined;
  readonly application: ApplicationRoute | undefined;
}

export interface DatabaseRoute {
  readonly service: string;
  readonly protocol: string;
  readonly user: string;
  readonly name: string;
}

export interface ApplicationRoute {
  readonly name: string;
  readonly publicAddress: string;
  readonly cluster: string;
  readonly sessionId: string;
}

export interface KubernetesAccess {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** The Kubernetes cluster that the identity is routed to. */
  readonly cluster: string | undefined;
}

/** For an identity that is not routed to a resource. */
export const NO_ACCESS = {
  kubernetes: { users: [], groups: [], cluster: undefined },
  database: undefined,
  application: undefined,
} as const satisfies Pick<Identity, 'kubernetes' | 'database' | 'application'>;

/** In the subject of every certificate of a cluster's identity (lib/tlsca/ca.go). */
export const ORIGIN_CLUSTER = '1.3.9999.1.7';

/** Teleport's own attributes are below 1.3.9999, an unassigned arc. */
const TELEPORT_OID = {
  kubernetesUsers: '1.3.9999.1.1',
  kubernetesGroups: '1.3.9999.1.2',
  kubernetesCluster: '1.3.9999.1.3',
  applicationSession: '1.3.9999.1.4',
  applicationCluster: '1.3.9999.1.5',
  applicationAddress: '1.3.9999.1.6',
  applicationName: '1.3.9999.1.10',
  databaseService: '1.3.9999.2.1',
  databaseProtocol: '1.3.9999.2.2',
  databaseUser: '1.3.9999.2.3',
  databaseName: '1.3.9999.2.4',
  originCluster: ORIGIN_CLUSTER,
  loginIp: '1.3.9999.1.9',
  privateKeyPolicy: '1.3.9999.1.15',
  impersonator: '1.3.9999.2.7',
  disallowReissue: '1.3.9999.2.9',
  botName: '1.3.9999.2.18',
  botInstanceId: '1.3.9999.2.20',
  joinAttributes: '1.3.9999.2.21',
} as const;

export const NO_TRAITS = '{}';

/** Name DER: the standard attributes in Go's order, then Teleport's own. */
export function toSubject(identity: Identity, originCluster: string): Buffer {
  const optional = (value: string | undefined): string[] => (value === undefined || value === '' ? [] : [value]);
  return encodeName([
    { oid: OID.organization, values: identity.roles },
    { oid: OID.organizationalUnit, values: identity.usages },
    { oid: OID.locality, values: identity.principals },
    { oid: OID.streetAddress, values: [identity.routeToCluster] },
    { oid: OID.postalCode, values: [NO_TRAITS] },
    { oid: OID.commonName, values: [identity.userName] },
    { oid: TELEPORT_OID.kubernetesUsers, values: identity.kubernetes.users },
    { oid: TELEPORT_OID.kubernetesGroups, values: identity.kubernetes.groups },
    { oid: TELEPORT_OID.kubernetesCluster, values: optional(identity.kubernetes.cluster) },
    { oid: TELEPORT_OID.applicationSession, values: optional(identity.application?.sessionId) },
    { oid: TELEPORT_OID.applicationAddress, values: optional(identity.application?.publicAddress) },
    { oid: TELEPORT_OID.applicationCluster, values: optional(identity.application?.cluster) },
    { oid: TELEPORT_OID.applicationName, values: optional(identity.application?.name) },
    { oid: TELEPORT_OID.databaseService, values: optional(identity.database?.service) },
    { oid: TELEPORT_OID.databaseProtocol, values: optional(identity.database?.protocol) },
    { oid: TELEPORT_OID.databaseUser, values: optional(identity.database?.user) },
    { oid: TELEPORT_OID.databaseName, values: optional(identity.database?.name) },
    { oid: TELEPORT_OID.originCluster, values: [originCluster] },
    { oid: TELEPORT_OID.loginIp, values: [identity.loginIp] },
    { oid: TELEPORT_OID.impersonator, values: optional(identity.impersonator) },
    { oid: TELEPORT_OID.disallowReissue, values: identity.disallowReissue ? ['yes'] : [] },
    { oid: TELEPORT_OID.privateKeyPolicy, values: ['none'] },
    { oid: TELEPORT_OID.botName, values: [identity.botName] },
    { oid: TELEPORT_OID.botInstanceId, values: optional(identity.botInstanceId) },
    { oid: TELEPORT_OID.joinAttributes, values: optional(identity.joinAttributes) },
  ]);
}

export function fromCertificate(der: Buffer): Identity {
  const values = attributesOf(subjectOf(der));
  const first = (oid: string): string | undefined => values(oid)[0];
  return {
    userName: first(OID.commonName) ?? '',
    roles: values(OID.organization),
    principals: values(OID.locality),
    routeToCluster: first(OID.streetAddress) ?? '',
    usages: values(OID.organizationalUnit),
    botName: first(TELEPORT_OID.botName) ?? '',
    botInstanceId: first(TELEPORT_OID.botInstanceId),
    joinAttributes: first(TELEPORT_OID.joinAttributes),
    impersonator: first(TELEPORT_OID.impersonator),
    disallowReissue: first(TELEPORT_OID.disallowReissue) === 'yes',
    loginIp: first(TELEPORT_OID.loginIp) ?? '',
    kubernetes: {
      users: values(TELEPORT_OID.kubernetesUsers),
      groups: values(TELEPORT_OID.kubernetesGroups),
      cluster: first(TELEPORT_OID.kubernetesCluster),
    },
    database: databaseOf(first),
    application: applicationOf(first),
  };
}

type Attributes = (oid: string) => string | undefined;

function databaseOf(first: Attributes): DatabaseRoute | undefined {
  const service = first(TELEPORT_OID.databaseService);
  if (service === undefined) {
    return undefined;
  }
  return {
    service,
    protocol: first(TELEPORT_OID.databaseProtocol) ?? '',
    user: first(TELEPORT_OID.databaseUser) ?? '',
    name: first(TELEPORT_OID.databaseName) ?? '',
  };
}

function applicationOf(first: Attributes): ApplicationRoute | undefined {
  const name = first(TELEPORT_OID.applicationName);
  if (name === undefined) {
    return undefined;
  }
  return {
    name,
    publicAddress: first(TELEPORT_OID.applicationAddress) ?? '',
    cluster: first(TELEPORT_OID.applicationCluster) ?? '',
    sessionId: first(TELEPORT_OID.applicationSession) ?? '',
  };
}

/** The extensions of the SSH certificate, which repeat facts of the X.509 subject. */
export function toSshExtensions(identity: Identity): Record<string, string> {
  return {
    'permit-agent-forwarding': '',
    'permit-port-forwarding': '',
    'permit-pty': '',
    'teleport-roles': JSON.stringify({ version: 'v1', roles: identity.roles }),
    'teleport-traits': NO_TRAITS,
    'teleport-route-to-cluster': identity.routeToCluster,
    'private-key-policy': 'none',
    'login-ip': identity.loginIp,
    'bot-name@goteleport.com': identity.botName,
    ...(identity.botInstanceId === undefined ? {} : { 'bot-instance-id@goteleport.com': identity.botInstanceId }),
    ...(identity.impersonator === undefined ? {} : { impersonator: identity.impersonator }),
    ...(identity.disallowReissue ? { 'disallow-reissue': '' } : {}),
  };
}
