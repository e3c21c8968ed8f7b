/** The nodes that the Proxy can reach: which cluster they are in, who may see them, and where their sshd listens. */
import { LEAF_CLUSTER_NAMES } from './data.ts';
import { TeleportError } from './teleport-errors.ts';

export interface Node {
  readonly name: string;
  readonly cluster: string;
  /** Roles that let their holder connect. */
  readonly roles: readonly string[];
  /** Where its sshd listens on 127.0.0.1; a node without one is offline. */
  port?: number;
}

export type Nodes = readonly Node[];

export function createNodes(clusterName: string): Nodes {
  const [leaf = ''] = LEAF_CLUSTER_NAMES;
  return [
    { name: 'web-1', cluster: clusterName, roles: ['access'] },
    { name: 'web-2', cluster: clusterName, roles: ['access', 'deployer'] },
    { name: 'vault-1', cluster: clusterName, roles: ['admin'] },
    { name: 'leaf-1', cluster: leaf, roles: ['access'] },
  ];
}

/** @throws TeleportError NotFound for an unknown cluster or node */
export function findNode(nodes: Nodes, name: string, cluster: string): Node {
  if (!nodes.some((one) => one.cluster === cluster)) {
    throw new TeleportError('NotFound', `cluster "${cluster}" is not found`);
  }
  const node = nodes.find((one) => one.name === name && one.cluster === cluster);
  if (node === undefined) {
    throw new TeleportError('NotFound', `failed to dial target host: node "${name}" is not found`);
  }
  return node;
}
