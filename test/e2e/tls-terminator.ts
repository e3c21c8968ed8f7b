/** A load balancer that opens TLS with a certificate of its own, drops ALPN, and passes on what is inside. */
import { once } from 'node:events';
import { connect, createServer } from 'node:tls';
import type { TestContext } from 'node:test';
import { selfSigned } from '../tls-certificate.ts';

export interface TlsTerminator {
  /** `localhost:port` */
  readonly address: string;
  /** PEM. */
  readonly certificate: string;
}

export interface TerminatorOptions {
  /** `localhost:port` of the Proxy. */
  readonly behind: string;
  /** The protocols that it speaks itself; none of them means that it does not answer ALPN at all. */
  readonly speaks?: readonly string[];
}

export async function startTlsTerminator(
  t: Pick<TestContext, 'after'>,
  { behind, speaks = [] }: TerminatorOptions,
): Promise<TlsTerminator> {
  const { certificate, key } = await selfSigned('localhost');
  const [host = '', port = ''] = behind.split(':');
  const options = { cert: certificate, key, ...(speaks.length === 0 ? {} : { ALPNProtocols: [...speaks] }) };
  const server = createServer(options, (outer) => {
    const inner = connect({ host, port: Number(port), ALPNProtocols: ['http/1.1'], rejectUnauthorized: false });
    for (const [one, other] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { address: `localhost:${address.port}`, certificate };
}
