/** Where kubectl reaches the Proxy, and the server name that routes to Kubernetes there. */
import { isIP } from 'node:net';
import { type Address, parseAddress } from '../net/address.ts';
import { API_DOMAIN } from './names.ts';

export interface KubeEndpoint {
  readonly address: Address;
  /** Undefined if the address serves only Kubernetes. */
  readonly serverName: string | undefined;
}

/** What a Proxy reports about its Kubernetes listener; undefined for what is missing. */
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

/** Invalid addresses count as missing, as everywhere in a ping response. */
export function kubeListener(publicAddress: string | undefined, listenAddress: string | undefined): KubeListener {
  return {
    publicAddress: parseAddress(publicAddress ?? '', KUBE_PORT),
    port: parseAddress(listenAddress ?? '', KUBE_PORT)?.port,
  };
}

/**
 * With TLS routing the web address, whatever else is advertised. Without it the listener's public address, or else the web
 * address's host with the listener's port. This is Teleport's own order.
 * @returns undefined if the Proxy does not serve Kubernetes
 */
export function kubeEndpoint({ tlsRouting, webAddress, kube }: KubeProxy): KubeEndpoint | undefined {
  if (tlsRouting) return { address: webAddress, serverName: `${KUBE_PREFIX}${dnsName(webAddress.host)}` };
  if (kube.publicAddress !== undefined) return { address: kube.publicAddress, serverName: undefined };
  if (kube.port === undefined) return undefined;
  return { address: { host: webAddress.host, port: kube.port }, serverName: undefined };
}

/** For hosts that are not DNS names, the Proxy's certificate has the name below Teleport's own domain. */
function dnsName(host: string): string {
  return host === 'localhost' || isIP(host) !== 0 ? API_DOMAIN : host;
}
