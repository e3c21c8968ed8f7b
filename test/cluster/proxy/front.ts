/** A device between a job and the Proxy: none, Teleport Cloud's router, a firewall, or a load balancer. */
import { connect, type Socket } from 'node:net';
import { peekClientHello } from './client-hello.ts';
import { type BalancerKind, type BalancerOptions, startLoadBalancer } from './load-balancer.ts';
import { listen, type TcpListener } from '../tcp-listener.ts';
import { API_DOMAIN, encodedClusterDomain } from '../world.ts';

/**
 * - `plain`: connections reach the Proxy unchanged.
 * - `cloud`: routes only by server name, like Teleport Cloud (gravitational/teleport 25534): it knows the tenant's
 *   host with the names below it (applications, Kubernetes) and the encoded cluster name, and closes everything else.
 * - `sni-firewall`: silently drops every connection for `teleport.cluster.local` and the names below it
 *   (gravitational/teleport 66656).
 * - `l7` and those that begin with it: terminate TLS.
 */
export type FrontKind = 'plain' | 'cloud' | 'sni-firewall' | BalancerKind;

export interface FrontOptions extends BalancerOptions {
  readonly clusterName: string;
  /** Other hosts of the Proxy than the tenant's. */
  readonly publicNames: readonly string[];
}

type Verdict = 'forwarded' | 'closed' | 'dropped';

/** @param port 0 for a free one */
export function startFront(
  kind: Exclude<FrontKind, 'plain'>,
  port: number,
  options: FrontOptions,
): Promise<TcpListener> {
  if (kind !== 'cloud' && kind !== 'sni-firewall') {
    return startLoadBalancer(kind, port, options);
  }
  const judge = { cloud: judgeAsCloud, 'sni-firewall': judgeAsFirewall }[kind];
  const onSocket = (socket: Socket): void => {
    pass(socket, (serverName) => judge(serverName, options), options).catch(() => socket.destroy());
  };
  return listen(port, onSocket, options.host);
}

async function pass(
  socket: Socket,
  judge: (serverName: string | undefined) => Verdict,
  { proxyPort, records }: FrontOptions,
): Promise<void> {
  const hello = await peekClientHello(socket);
  const verdict = judge(hello.serverName);
  records.add({ listener: 'front', kind: 'connection', ...hello, fields: { verdict } }).outcome = 'ok';
  switch (verdict) {
    case 'forwarded': {
      const proxy = connect(proxyPort(), '127.0.0.1');
      proxy.setNoDelay(true);
      proxy.on('error', () => socket.destroy());
      proxy.on('close', () => socket.destroy());
      socket.on('close', () => proxy.destroy());
      socket.pipe(proxy).pipe(socket);
      return;
    }
    case 'closed':
      socket.destroy();
      return;
    case 'dropped':
      socket.resume(); // the client's data is lost, and it gets no response
      return;
  }
}

function judgeAsCloud(serverName: string | undefined, { clusterName, publicNames, tenantHost }: FrontOptions): Verdict {
  const known =
    [tenantHost, ...publicNames].some((host) => serverName === host || serverName?.endsWith(`.${host}`) === true) ||
    serverName === encodedClusterDomain(clusterName);
  return known ? 'forwarded' : 'closed';
}

function judgeAsFirewall(serverName: string | undefined): Verdict {
  return serverName === API_DOMAIN || serverName?.endsWith(`.${API_DOMAIN}`) === true ? 'dropped' : 'forwarded';
}
