/** nginx as a real peer that does not know Teleport: a server that requires client certificates, and a load balancer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort, untilListening } from './free-port.ts';
import { selfSigned } from '../tls-certificate.ts';
import { bounded, program } from '../programs.ts';
import type { TlsTerminator } from './tls-terminator.ts';

export interface NginxFiles {
  /** Certificate and key of the server itself; paths. */
  readonly certificate: string;
  readonly key: string;
  /** Path of the authorities whose clients are accepted. */
  readonly clientAuthorities: string;
}

/** Responds with the subject of the client's certificate; resolves with the port on 127.0.0.1. */
export function startNginx(context: TestContext, files: NginxFiles): Promise<number> {
  return start(
    context,
    ({ port }) => `listen 127.0.0.1:${String(port)} ssl;
    ssl_certificate ${files.certificate};
    ssl_certificate_key ${files.key};
    ssl_client_certificate ${files.clientAuthorities};
    ssl_verify_client on;
    location / { default_type text/plain; return 200 "$ssl_client_verify $ssl_client_s_dn\\n"; }`,
  );
}

export interface NginxProxyOptions {
  /** `localhost:port` of the Proxy. */
  readonly behind: string;
  readonly http2: boolean;
  /** Whether it forwards WebSocket upgrades, which nginx does not do by default. */
  readonly upgrades?: boolean;
  /** By default a free one. */
  readonly port?: number;
  /** In place of the location that the other options describe. */
  readonly location?: string | undefined;
  /** The host that clients know it by; `localhost` by default. */
  readonly host?: string;
  /** 127.0.0.1 by default. */
  readonly listenHost?: '127.0.0.1' | '::1';
}

/** A load balancer in front of a Proxy, configured as for any web server. */
export async function startNginxProxy(
  context: TestContext,
  {
    behind,
    host = 'localhost',
    http2,
    listenHost = '127.0.0.1',
    location,
    upgrades = false,
    port: wanted,
  }: NginxProxyOptions,
): Promise<TlsTerminator> {
  const { certificate, key } = await selfSigned(host);
  const passed = upgrades
    ? 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; proxy_set_header Host $http_host;'
    : '';
  const server = async ({ folder, port: own }: Place): Promise<string> => {
    const [certificatePath, keyPath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await Promise.all([writeFile(certificatePath, certificate), writeFile(keyPath, key, { mode: 0o600 })]);
    return `listen ${listenHost === '::1' ? '[::1]' : listenHost}:${String(own)} ssl${http2 ? ' http2' : ''};
    ssl_certificate ${certificatePath};
    ssl_certificate_key ${keyPath};
    ${location ?? `location / { proxy_pass https://${behind}; proxy_http_version 1.1; proxy_ssl_verify off; ${passed} }`}`;
  };
  const port = await start(context, server, { wanted, listenHost });
  return { address: `${host}:${String(port)}`, certificate };
}

interface Place {
  /** For its files. */
  readonly folder: string;
  readonly port: number;
}

/** @param server the content of its server block */
async function start(
  context: TestContext,
  server: (place: Place) => string | Promise<string>,
  { listenHost, wanted }: { readonly wanted?: number | undefined; readonly listenHost?: string } = {},
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'e2e-nginx-'));
  const port = wanted ?? (await freePort());
  await mkdir(join(folder, 'tmp'));
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, await server({ folder, port })));
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
  const process = bounded(spawn(program('nginx'), args, { stdio: ['ignore', 'ignore', 'inherit'] }));
  const ended = once(process, 'exit');
  context.after(async () => {
    process.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  await untilListening(port, ended, listenHost);
  return port;
}

function configuration(folder: string, server: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${join(folder, 'tmp', name)};`,
  );
  return `daemon off;
master_process off;
pid ${join(folder, 'pid')};
events {}
http {
  access_log off;
${temporary.join('\n')}
  server {
    ${server}
  }
}
`;
}
