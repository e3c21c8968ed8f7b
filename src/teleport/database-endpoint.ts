/** Where clients reach a database: a Proxy listener for its protocol, or the web port with an ALPN value. */
import { type Address, parseAddress } from '../net/address.ts';

/** The protocols for which a Proxy may have a listener. */
export const LISTENER_PROTOCOLS = ['postgres', 'mysql', 'mongodb'] as const;

export type ListenerProtocol = (typeof LISTENER_PROTOCOLS)[number];

/** Only the listeners that the Proxy advertises. */
export type DatabaseListeners = ReadonlyMap<ListenerProtocol, Address>;

/** `proxy.db` of a ping. */
export interface DatabaseSettings {
  readonly postgres_public_addr?: string | undefined;
  readonly postgres_listen_addr?: string | undefined;
  readonly mysql_public_addr?: string | undefined;
  readonly mysql_listen_addr?: string | undefined;
  readonly mongo_public_addr?: string | undefined;
  readonly mongo_listen_addr?: string | undefined;
}

/** The public address, or else the Proxy's host with the listener's port, as for other listeners. */
export function databaseListeners(settings: DatabaseSettings, proxyHost: string): DatabaseListeners {
  const found = new Map<ListenerProtocol, Address>();
  const add = (
    protocol: ListenerProtocol,
    defaultPort: number,
    publicAddress: string | undefined,
    listenAddress: string | undefined,
  ) => {
    const listener = parseAddress(listenAddress ?? '', defaultPort);
    const address =
      parseAddress(publicAddress ?? '', listener?.port ?? defaultPort) ??
      (listener && { host: proxyHost, port: listener.port });
    if (address !== undefined) found.set(protocol, address);
  };
  add('postgres', 5432, settings.postgres_public_addr, settings.postgres_listen_addr);
  add('mysql', 3036, settings.mysql_public_addr, settings.mysql_listen_addr);
  add('mongodb', 27_017, settings.mongo_public_addr, settings.mongo_listen_addr);
  return found;
}

/** @param protocol of the database, as Teleport names it; undefined if it is reached on the web port */
export function databaseListener(
  protocol: string,
  listeners: DatabaseListeners,
): { readonly protocol: ListenerProtocol; readonly address: Address } | undefined {
  const family = LISTENER_PROTOCOLS.find((one) => one === databaseFamily(protocol));
  const address = family && listeners.get(family);
  return family === undefined || address === undefined ? undefined : { protocol: family, address };
}

/** Protocols that share another protocol's listener and ALPN value. */
const FAMILIES: ReadonlyMap<string, string> = new Map([
  ['cockroachdb', 'postgres'],
  ['clickhouse-http', 'clickhouse'],
]);

/** @param protocol of the database, as Teleport names it */
export function databaseFamily(protocol: string): string {
  return FAMILIES.get(protocol) ?? protocol;
}

/** The ALPN value for the protocol on the web port (tbot reference 5.2). */
export function databaseAlpn(protocol: string): string {
  return `teleport-${databaseFamily(protocol)}`;
}
