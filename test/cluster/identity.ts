/** A Teleport identity and the certificate subject that carries it. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { attributeValues, encodeName, OID } from './subject-name.ts';

export interface Identity {
  readonly userName: string;
  readonly roles: readonly string[];
  readonly principals: readonly string[];
  readonly routeToCluster: string;
  readonly botName: string;
  /** Restrictions such as `usage:kube`. */
  readonly usages: readonly string[];
  readonly botInstanceId: string | undefined;
  /** JSON text on how the bot joined. */
  readonly joinAttributes: string | undefined;
  /** The user behind a role-impersonated identity. */
  readonly impersonator: string | undefined;
  readonly disallowReissue: boolean;
  readonly loginIp: string;
  readonly kubernetes: KubernetesAccess;
}

export interface KubernetesAccess {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** The one Kubernetes cluster that the identity is routed to. */
  readonly cluster: string | undefined;
}

export const NO_KUBERNETES: KubernetesAccess = { users: [], groups: [], cluster: undefined };

/** Teleport's own attributes live below 1.3.9999, an arc that nobody assigned. */
const TELEPORT_OID = {
  kubernetesUsers: '1.3.9999.1.1',
  kubernetesGroups: '1.3.9999.1.2',
  kubernetesCluster: '1.3.9999.1.3',
  originCluster: '1.3.9999.1.7',
  loginIp: '1.3.9999.1.9',
  privateKeyPolicy: '1.3.9999.1.15',
  impersonator: '1.3.9999.2.7',
  disallowReissue: '1.3.9999.2.9',
  botName: '1.3.9999.2.18',
  botInstanceId: '1.3.9999.2.20',
  joinAttributes: '1.3.9999.2.21',
} as const;

export const NO_TRAITS = '{}';

/** The standard attributes come in the order in which Go writes them, then Teleport's own. */
export function toSubject(identity: Identity, originCluster: string): x509.Name {
  const optional = (value: string | undefined): string[] => (value === undefined ? [] : [value]);
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
  const subject = new x509.X509Certificate(der).subjectName;
  const first = (oid: string): string | undefined => attributeValues(subject, oid)[0];
  return {
    userName: first(OID.commonName) ?? '',
    roles: attributeValues(subject, OID.organization),
    principals: attributeValues(subject, OID.locality),
    routeToCluster: first(OID.streetAddress) ?? '',
    usages: attributeValues(subject, OID.organizationalUnit),
    botName: first(TELEPORT_OID.botName) ?? '',
    botInstanceId: first(TELEPORT_OID.botInstanceId),
    joinAttributes: first(TELEPORT_OID.joinAttributes),
    impersonator: first(TELEPORT_OID.impersonator),
    disallowReissue: first(TELEPORT_OID.disallowReissue) === 'yes',
    loginIp: first(TELEPORT_OID.loginIp) ?? '',
    kubernetes: {
      users: attributeValues(subject, TELEPORT_OID.kubernetesUsers),
      groups: attributeValues(subject, TELEPORT_OID.kubernetesGroups),
      cluster: first(TELEPORT_OID.kubernetesCluster),
    },
  };
}

/** The SSH certificate's extensions, which say again what the X.509 subject says. */
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
