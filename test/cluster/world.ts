/** What all parts of the cluster share. */
import { authorityOf, type Authority, type AuthorityType } from './data/authorities.ts';
import type { Resources, Role } from './data/data.ts';
import type { KubeEvents } from './proxy/kube-api.ts';
import type { AppSessions } from './data/app-sessions.ts';
import type { AuthLog } from './log.ts';
import type { Faults } from './faults.ts';
import type { Limiters } from './limiter.ts';
import type { Nodes } from './data/nodes.ts';
import { type Labels, type Reachable, selects } from './data/labels.ts';
import type { Build, Profile } from './data/profiles.ts';
import type { Records } from './records.ts';

export interface World {
  readonly clusterName: string;
  readonly profile: Profile;
  readonly build: Build;
  readonly resources: Resources;
  /** Of this cluster and of its leaf clusters. */
  readonly nodes: Nodes;
  /** Of this cluster and of its leaf clusters. */
  readonly authorities: readonly Authority[];
  readonly records: Records;
  /** What Auth logs. */
  readonly log: AuthLog;
  readonly faults: Faults;
  /** Undefined if the cluster limits nothing. */
  readonly limiters: Limiters | undefined;
  readonly appSessions: AppSessions;
  readonly kubeEvents: KubeEvents;
}

export function ownAuthority(world: World, type: AuthorityType): Authority {
  return authorityOf(world.authorities, world.clusterName, type);
}

/** Whether one of the roles selects the labels; an unknown role selects nothing. */
export function mayReach(world: World, roleNames: readonly string[], what: Reachable, labels: Labels): boolean {
  return roleNames.some((name) => selects(findRole(world, name)?.reaches[what] ?? {}, labels));
}

export function findRole(world: World, name: string): Role | undefined {
  return world.resources.roles.find((role) => role.name === name);
}

/** `teleport.cluster.local`, the name in every Auth certificate. */
export const API_DOMAIN = 'teleport.cluster.local';

/** A cluster's name as a DNS label, for server names and ALPN values. */
export function encodedClusterDomain(clusterName: string): string {
  return `${Buffer.from(clusterName).toString('hex')}.${API_DOMAIN}`;
}
