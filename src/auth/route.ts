/** The resource that a certificate is limited to. */
import type { UserCertsRequest } from '../grpc/gen/teleport/legacy/authservice_pb.ts';
import type { Init } from '../grpc/protobuf.ts';

export type Route =
  | { readonly kind: 'kubernetes'; readonly kubernetesCluster: string }
  | {
      readonly kind: 'database';
      readonly serviceName: string;
      readonly protocol: string;
      readonly username: string;
      readonly database: string;
    }
  | {
      readonly kind: 'application';
      readonly name: string;
      readonly publicAddress: string;
      readonly clusterName: string;
      /** Created beforehand on servers before 17; empty on later ones, which create it themselves. */
      readonly sessionId: string;
    };

/** Teleport's own object identifiers in a certificate's subject. */
const OID = {
  kubernetesCluster: '1.3.9999.1.3',
  applicationCluster: '1.3.9999.1.5',
  applicationAddress: '1.3.9999.1.6',
  applicationName: '1.3.9999.1.10',
  databaseService: '1.3.9999.2.1',
  databaseProtocol: '1.3.9999.2.2',
  databaseUser: '1.3.9999.2.3',
  databaseName: '1.3.9999.2.4',
} as const;

/** The attributes of the subject that carry the route, by object identifier; an empty value means that the attribute is missing. */
export function routeAttributes(route: Route | undefined): ReadonlyMap<string, string> {
  switch (route?.kind) {
    case undefined:
      return new Map();
    case 'kubernetes':
      return new Map([[OID.kubernetesCluster, route.kubernetesCluster]]);
    case 'database':
      return new Map([
        [OID.databaseService, route.serviceName],
        [OID.databaseProtocol, route.protocol],
        [OID.databaseUser, route.username],
        [OID.databaseName, route.database],
      ]);
    case 'application':
      return new Map([
        [OID.applicationName, route.name],
        [OID.applicationAddress, route.publicAddress],
        [OID.applicationCluster, route.clusterName],
      ]);
    default:
      return route satisfies never;
  }
}

/** The route that the attributes of a certificate's subject carry; undefined for a certificate without one. */
export function readRoute(attributes: ReadonlyMap<string, readonly string[]>): Route | undefined {
  const text = (oid: string) => attributes.get(oid)?.[0] ?? '';
  const [serviceName, name, kubernetesCluster] = [OID.databaseService, OID.applicationName, OID.kubernetesCluster].map(
    text,
  );
  if (serviceName) {
    const [protocol, username, database] = [text(OID.databaseProtocol), text(OID.databaseUser), text(OID.databaseName)];
    return { kind: 'database', serviceName, protocol, username, database };
  }
  if (name) {
    const [publicAddress, clusterName] = [text(OID.applicationAddress), text(OID.applicationCluster)];
    return { kind: 'application', name, publicAddress, clusterName, sessionId: '' };
  }
  return kubernetesCluster ? { kind: 'kubernetes', kubernetesCluster } : undefined;
}

/** The route's fields of a GenerateUserCerts request. */
export function routeFields(route: Route | undefined): Init<UserCertsRequest> {
  switch (route?.kind) {
    case undefined:
      return {};
    case 'kubernetes':
      return { kubernetesCluster: route.kubernetesCluster };
    case 'database': {
      const { serviceName, protocol, username, database } = route;
      return { routeToDatabase: { serviceName, protocol, username, database } };
    }
    case 'application': {
      const { name, sessionId, publicAddress: publicAddr, clusterName } = route;
      return { routeToApp: { name, sessionId, publicAddr, clusterName } };
    }
    default:
      return route satisfies never;
  }
}
