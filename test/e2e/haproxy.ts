/** HAProxy as a load balancer in front of a Proxy, which it knows as any web server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort, untilListening } from './free-port.ts';
import { bounded, program } from '../programs.ts';
import { selfSigned } from '../tls-certificate.ts';
import type { TlsTerminator } from './tls-terminator.ts';

export interface HaproxyOptions {
  /** `localhost:port` of the Proxy. */
  readonly behind: string;
  /** What it offers its clients; without a protocol in common it chooses none. Nothing by default. */
  readonly alpn?: readonly string[];
  /** A free one unless given. */
  readonly port?: number;
  /** How long a connection or an upgraded connection may be idle; a minute by default. */
  readonly idleMs?: number;
  /** The host that clients know it by; `localhost` by default. */
  readonly host?: string;
  /** 127.0.0.1 by default. */
  readonly listenHost?: '127.0.0.1' | '::1';
}

/** Passes on WebSocket upgrades without being told to. */
export async function startHaproxy(context: TestContext, options: HaproxyOptions): Promise<TlsTerminator> {
  const { host = 'localhost', listenHost = '127.0.0.1' } = options;
  const { certificate, key } = await selfSigned(host);
  const folder = await mkdtemp(join(tmpdir(), 'e2e-haproxy-'));
  const port = options.port ?? (await freePort());
  const pem = join(folder, 'certificate.pem');
  const file = join(folder, 'haproxy.cfg');
  await writeFile(pem, `${certificate}\n${key}`, { mode: 0o600 });
  await writeFile(file, configuration(options, { pem, bind: `${listenHost}:${String(port)}` }));
  const process = bounded(spawn(program('haproxy'), ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'inherit'] }));
  const ended = once(process, 'exit');
  context.after(async () => {
    process.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  await untilListening(port, ended, listenHost);
  return { address: `${host}:${String(port)}`, certificate };
}

function configuration(
  { alpn = [], behind, idleMs = 60_000 }: HaproxyOptions,
  { bind, pem }: { readonly pem: string; readonly bind: string },
): string {
  const offered = alpn.length === 0 ? '' : ` alpn ${alpn.join(',')}`;
  return `global
  hard-stop-after 1s
defaults
  mode http
  timeout connect 5s
  timeout client ${String(idleMs)}ms
  timeout server ${String(idleMs)}ms
  timeout tunnel ${String(idleMs)}ms
frontend web
  bind ${bind} ssl crt ${pem}${offered}
  default_backend proxies
backend proxies
  server proxy ${behind} ssl verify none alpn http/1.1
`;
}
