/** Where kubectl reaches the Proxy, and by which server name the Proxy knows that Kubernetes is meant. */
import { isIP } from 'node:net';
import { type Address, parseAddress } from '../net/address.ts';
import { API_DOMAIN } from './names.ts';

export interface KubeEndpoint {
  readonly address: Address;
  /** Undefined where the address is for Kubernetes alone. */
  readonly serverName: string | undefined;
}

/** What a Proxy reports about its Kubernetes listener; undefined for what it does not have. */
export interface KubeListener {
  readonly publicAddress: Address | undefined;
  readonly port: number | undefined;
}

export interface KubeProxy {
  readonly tlsRouting: boolean;
  readonly webAddress: Address;
  readonly kube: KubeListener;
}

const KUBE_PORT = 3026;
const KUBE_PREFIX = 'kube-teleport-proxy-alpn.';

/** Addresses that cannot be read count as absent, as everywhere in what a Proxy tells. */
export function kubeListener(publicAddress: string | undefined, listenAddress: string | undefined): KubeListener {
  return {
    publicAddress: parseAddress(publicAddress ?? '', KUBE_PORT),
    port: parseAddress(listenAddress ?? '', KUBE_PORT)?.port,
  };
}

/**
 * With TLS routing the web address whatever else is advertised, else the listener's public address, else the web
 * address's host with the listener's port: Teleport's own order.
 * @returns undefined when the Proxy has no way to Kubernetes
 */
export function kubeEndpoint({ tlsRouting, webAddress, kube }: KubeProxy): KubeEndpoint | undefined {
  if (tlsRouting) return { address: webAddress, serverName: `${KUBE_PREFIX}${dnsName(webAddress.host)}` };
  if (kube.publicAddress !== undefined) return { address: kube.publicAddress, serverName: undefined };
  if (kube.port === undefined) return undefined;
  return { address: { host: webAddress.host, port: kube.port }, serverName: undefined };
}

/** The Proxy's certificate has this name below Teleport's own domain too, for hosts that are no DNS names. */
function dnsName(host: string): string {
  return host === 'localhost' || isIP(host) !== 0 ? API_DOMAIN : host;
}
