/** A network without an HTTP or SOCKS proxy and without a load balancer, for tests of what runs over its connections. */
import { openNetwork } from '../src/net/network.ts';
import type { Upgrades } from '../src/teleport/connection-upgrade.ts';

export const network = openNetwork({ environment: {} });

/** ALPN reaches the Proxy: no connection is upgraded. */
export const noUpgrades: Upgrades = {
  finding: () => undefined,
  known: () => undefined,
  needed: () => Promise.resolve(false),
  conclude: () => undefined,
  open: () => Promise.reject(new Error('no connection needs an upgrade here')),
};
