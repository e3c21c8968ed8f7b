/** The roles that a join token may give: those of Teleport's own services, not of users. */
import { nearest } from '../config/nearest.ts';

const SYSTEM_ROLES = [
  ...['Auth', 'Proxy', 'Node', 'App', 'Db', 'Kube', 'WindowsDesktop', 'Bot', 'Discovery', 'MDM', 'Okta', 'Nop'],
  ...['Instance', 'Admin', 'Provision', 'Signup', 'RemoteProxy', 'Trusted_cluster'],
  ...['AccessPlugin', 'AccessGraphPlugin', 'Assist', 'UpdaterAgent', 'Relay'],
];

export function isSystemRole(role: string): boolean {
  return SYSTEM_ROLES.includes(role);
}

export function roleAdvice(role: string): string {
  const meant = nearest(role, SYSTEM_ROLES);
  return meant === undefined
    ? '; here stands "Bot", and the roles of users go into the bot itself'
    : `; did you mean "${meant}"?`;
}
