/** The nodes that the Proxy can reach: their clusters, labels, and ports. */
import { LEAF_CLUSTER_NAMES } from './data.ts';
import type { Labels } from './labels.ts';
import { notFound, TeleportError } from './teleport-errors.ts';

export interface Node {
  /** The agent's host id, by which a node can also be dialed. */
  readonly id: string;
  /** Its host name, by which it is dialed. */
  readonly name: string;
  readonly cluster: string;
  /** The node itself checks them; the Proxy connects every user. */
  readonly labels: Labels;
  /** The port of its sshd on 127.0.0.1; a node without one is offline. */
  port?: number;
}

export type Nodes = readonly Node[];

const hostId = (number: number): string => `8d1f6a3e-2c54-4b7f-9e0b-7c1d5e2f${String(number).padStart(4, '0')}`;

export function createNodes(clusterName: string): Nodes {
  const [leaf = ''] = LEAF_CLUSTER_NAMES;
  return [
    { id: hostId(1), name: 'web-1', cluster: clusterName, labels: { env: 'prod' } },
    { id: hostId(2), name: 'web-2', cluster: clusterName, labels: { env: 'staging' } },
    { id: hostId(3), name: 'vault-1', cluster: clusterName, labels: { env: 'restricted' } },
    { id: hostId(4), name: 'twin', cluster: clusterName, labels: { env: 'staging' } },
    { id: hostId(5), name: 'twin', cluster: clusterName, labels: { env: 'staging' } },
    { id: hostId(6), name: 'leaf-1', cluster: leaf, labels: { env: 'prod' } },
  ];
}

/** What Go's uuid.Parse accepts, and the ids that Teleport gives to EC2 instances. */
const UUID = /^(?:urn:uuid:|\{)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$/i;
const EC2_ID = /^[0-9]{12}-i-[0-9a-f]{8,17}$/;

/**
 * Kinds and texts of `getServer` in lib/proxy/router.go. An unknown name could belong to an offline node, so the error
 * is not "not found", unless the name is an id.
 * @throws TeleportError NotFound, ConnectionProblem
 */
export function findNode(nodes: Nodes, host: string, cluster: string): Node {
  if (!nodes.some((node) => node.cluster === cluster)) {
    throw notFound(`looking up remote cluster "${cluster}"\n\tnot found`);
  }
  const ofCluster = nodes.filter((node) => node.cluster === cluster);
  const [found, second] = ofCluster.filter(({ id, name }) => id === host || name === host);
  if (second !== undefined) {
    throw notFound(`${AMBIGUOUS}\n\tambiguous host could match multiple nodes`);
  }
  if (found !== undefined) {
    return found;
  }
  if (UUID.test(host) || EC2_ID.test(host)) {
    throw notFound(`unable to locate node matching ${EC2_ID.test(host) ? 'EC2' : 'UUID'}-like target ${host}`);
  }
  throw new TeleportError('ConnectionProblem', `target host ${host} is offline or does not exist`);
}

/** The text by which clients recognize the one dial error without a specific kind. */
export const AMBIGUOUS = 'err-node-is-ambiguous';
