/** Real HTTP and SOCKS proxies, each on a free port of 127.0.0.1, with its own log. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { bounded, FILE_MS, outputOf, program } from '../programs.ts';
import { selfSigned } from '../tls-certificate.ts';
import { freePort, untilListening } from './free-port.ts';

export interface RealProxy {
  readonly port: number;
  /** `http://127.0.0.1:3128`, with the login if there is one. */
  readonly url: string;
  /** `host:port` of every connection that it has opened, in the order of its log. */
  readonly targets: () => Promise<readonly string[]>;
}

/** With characters that must be percent-encoded in a URL. */
export const LOGIN = { user: 'somebody', password: 'hunter2@/%' } as const;
export const SECRETS = [LOGIN.password, encodeURIComponent(LOGIN.password), 'hunter2'];
/** For tinyproxy, whose configuration cannot have such characters. */
const PLAIN_PASSWORD = 'hunter2hunter2';
const USER_INFO = `${LOGIN.user}:${encodeURIComponent(LOGIN.password)}@`;

interface Place {
  readonly folder: string;
  readonly port: number;
}

interface Daemon {
  readonly name: string;
  readonly args: (place: Place) => readonly string[];
  readonly files?: (place: Place) => Readonly<Record<string, string>>;
  /** SIGKILL by default: squid takes its time to end. A daemon with processes of its own ends them on SIGTERM. */
  readonly end?: 'SIGTERM' | 'SIGKILL';
  /** The file in its folder in which it logs; its standard error by default. */
  readonly log?: string;
  /** A connection in its log; captures host and port. */
  readonly line: RegExp;
}

/** Runs until the end of the test. */
async function startDaemon(
  t: TestContext,
  { args, end = 'SIGKILL', files, line, log, name }: Daemon,
): Promise<Omit<RealProxy, 'url'>> {
  const folder = await mkdtemp(join(tmpdir(), `e2e-${name}-`));
  // As root, squid changes to a user without rights.
  await chmod(folder, 0o777);
  const place = { folder, port: await freePort() };
  for (const [file, text] of Object.entries(files?.(place) ?? {})) await writeFile(join(folder, file), text);
  const child = bounded(spawn(program(name), args(place), { stdio: ['ignore', 'ignore', 'pipe'] }), FILE_MS);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill(end);
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  await untilListening(place.port, ended).catch((cause: unknown) => {
    throw new Error(`${name} does not listen: ${said}`, { cause });
  });
  return {
    port: place.port,
    targets: async () => {
      const text = log === undefined ? said : await readFile(join(folder, log), 'utf8');
      return [...text.matchAll(line)].map(([, host = '', port = '']) => `${host}:${port}`);
    },
  };
}

export interface SquidOptions {
  readonly login?: boolean;
  /** Names that only this proxy can resolve, all to 127.0.0.1. */
  readonly names?: readonly string[];
  /** The same, to ::1. */
  readonly ipv6Names?: readonly string[];
  /** Allows CONNECT to these ports only. */
  readonly ports?: readonly number[];
}

export async function startSquid(t: TestContext, options: SquidOptions = {}): Promise<RealProxy> {
  const { port, targets } = await squidWith(t, options, ({ port: own }) => `http_port 127.0.0.1:${own}`);
  return { port, url: `http://${options.login === true ? USER_INFO : ''}127.0.0.1:${port}`, targets };
}

/** Clients speak TLS to it, as to `localhost`. */
export async function startTlsSquid(
  t: TestContext,
  options: SquidOptions = {},
): Promise<RealProxy & { readonly certificate: string }> {
  const { certificate, key } = await selfSigned('localhost');
  const listen = ({ folder, port: own }: Place) =>
    `https_port 127.0.0.1:${own} tls-cert=${folder}/cert.pem tls-key=${folder}/key.pem`;
  const files = { 'cert.pem': certificate, 'key.pem': key };
  const { port, targets } = await squidWith(t, options, listen, files);
  return { port, url: `https://${options.login === true ? USER_INFO : ''}localhost:${port}`, targets, certificate };
}

function squidWith(
  t: TestContext,
  { ipv6Names = [], login = false, names = [], ports }: SquidOptions,
  listen: (place: Place) => string,
  files: Readonly<Record<string, string>> = {},
): Promise<Omit<RealProxy, 'url'>> {
  const allowed = login ? 'known' : 'all';
  return startDaemon(t, {
    name: 'squid',
    args: ({ folder }) => ['-N', '-f', join(folder, 'squid.conf')],
    files: (place) => ({
      ...files,
      hosts: `127.0.0.1 ${['localhost', ...names].join(' ')}\n${ipv6Names.map((name) => `::1 ${name}\n`).join('')}`,
      passwords: login ? `${LOGIN.user}:${outputOf('openssl', ['passwd', '-apr1', LOGIN.password])}` : '',
      'squid.conf': `${listen(place)}
pid_filename ${place.folder}/pid
access_log stdio:${place.folder}/access.log
cache_log ${place.folder}/cache.log
coredump_dir ${place.folder}
hosts_file ${place.folder}/hosts
visible_hostname squid
shutdown_lifetime 0 seconds
cache deny all
pinger_enable off
max_filedescriptors 1024
${login ? `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${place.folder}/passwords` : ''}
${login ? 'auth_param basic children 2 startup=1 idle=1\nacl known proxy_auth REQUIRED' : ''}
${ports === undefined ? '' : `acl allowed port ${ports.join(' ')}\nhttp_access deny !allowed`}
http_access allow ${allowed}
http_access deny all
`,
    }),
    log: 'access.log',
    line: / TCP_TUNNEL\/200 \d+ CONNECT (\S+):(\d+) /g,
  });
}

export async function startTinyproxy(t: TestContext): Promise<RealProxy> {
  const { port, targets } = await startDaemon(t, {
    name: 'tinyproxy',
    args: ({ folder }) => ['-d', '-c', join(folder, 'tinyproxy.conf')],
    files: ({ folder, port: own }) => ({
      'tinyproxy.conf': `Port ${own}
Listen 127.0.0.1
Timeout 600
MaxClients 50
LogFile "${folder}/log"
LogLevel Connect
BasicAuth ${LOGIN.user} ${PLAIN_PASSWORD}
`,
    }),
    log: 'log',
    line: /: CONNECT (\S+):(\d+) HTTP/g,
  });
  return { port, url: `http://${LOGIN.user}:${PLAIN_PASSWORD}@127.0.0.1:${port}`, targets };
}

export async function startMicrosocks(t: TestContext): Promise<RealProxy> {
  const { port, targets } = await startDaemon(t, {
    name: 'microsocks',
    args: ({ port: own }) => ['-i', '127.0.0.1', '-p', String(own), '-u', LOGIN.user, '-P', LOGIN.password],
    line: /: connected to (\S+):(\d+)$/gm,
  });
  return { port, url: `socks5h://${USER_INFO}127.0.0.1:${port}`, targets };
}

/** Logs the addresses to which it has connected, not the names that it was given. */
export async function startDante(t: TestContext): Promise<RealProxy> {
  const { port, targets } = await startDaemon(t, {
    name: 'danted',
    end: 'SIGTERM',
    args: ({ folder }) => ['-f', join(folder, 'danted.conf'), '-p', join(folder, 'pid'), '-N', '1'],
    files: ({ folder, port: own }) => ({
      'danted.conf': `logoutput: ${folder}/log
internal: 127.0.0.1 port = ${own}
external: lo
clientmethod: none
socksmethod: none
client pass {
  from: 0.0.0.0/0 to: 0.0.0.0/0
}
socks pass {
  from: 0.0.0.0/0 to: 0.0.0.0/0
  command: connect
  log: connect
}
`,
    }),
    log: 'log',
    line: / pass\(1\): tcp\/connect \[: \S+ \S+ -> \S+ (\S+)\.(\d+)/g,
  });
  return { port, url: `socks5://127.0.0.1:${port}`, targets };
}
