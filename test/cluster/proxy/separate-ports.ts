/** The ports that the Proxy has beside the web port; with TLS routing, the web port does for all but PostgreSQL's clients. */
import { peekClientHello } from './client-hello.ts';
import { serveKube } from './kube-proxy.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import type { ReverseTunnel } from './reverse-tunnel.ts';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';
import { serveSshPort, type TransportParts } from './transport-port.ts';

export interface SeparatePorts {
  readonly ssh: TcpListener;
  readonly tunnel: TcpListener;
  readonly kube: TcpListener;
  readonly postgres: TcpListener;
}

export async function startSeparatePorts(
  parts: TransportParts & { readonly tunnel: ReverseTunnel },
  host: ListenHost | undefined,
): Promise<SeparatePorts> {
  const { teleportCertificate: certificate, world } = parts;
  const [ssh, tunnel, kube, postgres] = await Promise.all([
    listen(0, (socket) => void serveSshPort(parts, socket).catch(() => socket.destroy()), host),
    listen(
      0,
      (socket) => {
        parts.tunnel.serve(socket, { serverName: undefined, alpn: [] }).catch(() => socket.destroy());
      },
      host,
    ),
    listen(
      0,
      (socket) => {
        peekClientHello(socket)
          .then((hello) => serveKube(world, socket, { hello, certificate }))
          .catch(() => socket.destroy());
      },
      host,
    ),
    startPostgresProxy(world, host),
  ]);
  return { ssh, tunnel, kube, postgres };
}
