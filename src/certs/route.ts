/** What a certificate is routed to besides its cluster. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { UserCertsRequestSchema } from '../teleport/gen/teleport/legacy/authservice_pb.ts';

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
      /** Made beforehand on servers before 16; empty on later ones, which make it themselves. */
      readonly sessionId: string;
    };

/** The route's fields of a GenerateUserCerts request. */
export function routeFields(route: Route | undefined): MessageInitShape<typeof UserCertsRequestSchema> {
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
