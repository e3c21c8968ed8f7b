/** An HTTPS server that offers the script like a release, with its own certificate. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { selfSigned } from '../tls-certificate.ts';

export interface AssetServer {
  /** `https://localhost:port`, or with another host, without a path. */
  readonly url: string;
  /** What makes curl, wget and Node.js trust this server, as variables of a job. */
  readonly trust: Readonly<Record<string, string>>;
  /** Paths of the requests so far. */
  readonly requests: string[];
  /** Of the same requests. */
  readonly userAgents: (string | undefined)[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  close(): Promise<void>;
}

/**
 * @param folder for the certificate
 * @param host in the URL and the certificate; it listens on localhost
 */
export async function startAssetServer(folder: string, host = 'localhost'): Promise<AssetServer> {
  const cert = join(folder, 'cert.pem');
  const { certificate, key } = await selfSigned(host);
  await writeFile(cert, certificate);
  const requests: string[] = [];
  const userAgents: (string | undefined)[] = [];
  const server = createServer({ key, cert: certificate }, (request, response) => {
    requests.push(request.url ?? '');
    userAgents.push(request.headers['user-agent']);
    self.answer(request, response);
  });
  await once(server.listen(0, 'localhost'), 'listening');
  const self: AssetServer = {
    url: `https://${host}:${portOf(server.address())}`,
    trust: { CURL_CA_BUNDLE: cert, NODE_EXTRA_CA_CERTS: cert, SSL_CERT_FILE: cert },
    requests,
    userAgents,
    answer: (_request, response) => response.writeHead(404).end(),
    close: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
  return self;
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null) throw new Error('the server listens on no port');
  return address.port;
}
