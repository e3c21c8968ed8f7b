/**
 * How many round trips a run waits for, one after another, in each topology. Every port of the cluster and of the network's
 * proxy is as far away as a line of 200 or 400 ms; the time that the second run takes longer, over 200 ms, is the number.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE } from './bundle.ts';
import { type BenchCluster, startCluster } from './cluster.ts';
import { type DistantPort, distantPort, freePort } from './distance.ts';
import { type ForwardProxy, startHttpProxy, startHttpsProxy, startSocksProxy } from './forward-proxies.ts';
import { against, one, type Row, row } from './figures.ts';
import { firstLine } from './ssh.ts';

/** Neither is ever looked up through a proxy, and the first is always reached directly. */
const HOSTS = { direct: 'localhost', byProxy: 'bench.teleport.test' } as const;
const NEAR_MS = 200;
const FAR_MS = 400;
const RUNS = 4;

interface Topology {
  readonly name: string;
  readonly teleport: string;
  /** Further arguments of the cluster. */
  readonly cluster?: readonly string[];
  readonly egress?: 'http' | 'https' | 'socks5';
  /** The Auth Service is reached directly; there is no Proxy, and so no SSH. */
  readonly auth?: true;
  /** What the protocols require, for `run` and for `ssh-proxy-command`; bench/README.md counts them. */
  readonly least: readonly [run: number, ssh?: number];
  /** Also measures a run with a database, and compares both runs with their goals. */
  readonly hasGoals?: true;
}

/** The largest numbers that a run may have: with an identity, and with the certificate for a database. Roles that are configured save one. */
const MOST = { identity: 7, identityWithRoles: 6, database: 9 } as const;

const L7 = ['--front', 'l7'];
const TOPOLOGIES: readonly Topology[] = [
  { name: 'TLS routing', teleport: '18.6.0', least: [7, 3], hasGoals: true },
  { name: 'TLS routing', teleport: '17.7.1', least: [7, 3] },
  { name: 'TLS routing', teleport: '15.3.7', least: [7, 3] },
  { name: 'separate ports', teleport: '18.6.0', cluster: ['--front', 'separate'], least: [7, 3] },
  { name: 'firewall by server names', teleport: '18.6.0', cluster: ['--front', 'sni-firewall'], least: [8, 3] },
  { name: 'L7 load balancer', teleport: '18.6.0', cluster: L7, least: [9, 5] },
  { name: 'HTTP proxy', teleport: '18.6.0', egress: 'http', least: [8, 4] },
  { name: 'https:// proxy', teleport: '18.6.0', egress: 'https', least: [9, 5] },
  { name: 'SOCKS5 proxy', teleport: '18.6.0', egress: 'socks5', least: [9, 5] },
  { name: 'HTTP proxy and L7', teleport: '18.6.0', egress: 'http', cluster: L7, least: [10, 6] },
  { name: 'Auth Service alone', teleport: '18.6.0', auth: true, cluster: ['--auth-only'], least: [11] },
];

export async function measureRoundTrips(folder: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [at, topology] of TOPOLOGIES.entries()) {
    const { hasGoals, least, name, teleport } = topology;
    const { database, databaseWithRoles, run, runWithRoles, ssh } = await measureOne(
      join(folder, String(at)),
      topology,
    );
    const [ofRun, ofSsh] = least;
    const where = `${name}, Teleport ${teleport}`;
    const goal = hasGoals === true ? against(rounded(run), MOST.identity, TRIPS) : requiredText(ofRun);
    rows.push(row(`run, ${where}`, one(run), TRIPS, goal));
    for (const [what, trips, most] of [
      ['run with its roles configured', runWithRoles, MOST.identityWithRoles],
      ['run with a database', database, MOST.database],
      ['run with a database and its roles configured', databaseWithRoles, MOST.database],
    ] as const) {
      if (trips === undefined) continue;
      rows.push(row(`${what}, ${where}`, one(trips), TRIPS, against(rounded(trips), most, TRIPS)));
    }
    if (ssh !== undefined && ofSsh !== undefined) {
      rows.push(row(`ssh-proxy-command, ${where}`, one(ssh), TRIPS, requiredText(ofSsh)));
    }
  }
  return rows;
}

const TRIPS = 'round trips';

/** What a second run takes longer shows a tenth of a round trip at best. */
function rounded(trips: number): number {
  return Math.round(trips * 10) / 10;
}

function requiredText(count: number): string {
  return `the protocols require ${count}`;
}

interface Trips {
  readonly run: number;
  readonly database?: number;
  readonly databaseWithRoles?: number;
  readonly runWithRoles?: number;
  readonly ssh?: number;
}

async function measureOne(
  folder: string,
  { auth, cluster: more = [], egress, hasGoals, teleport }: Topology,
): Promise<Trips> {
  mkdirSync(folder, { recursive: true });
  const [web, ssh, proxyPort] = await Promise.all([distantPort(), distantPort(), distantPort()]);
  const peer = spawn(process.execPath, ['bench/peer.cjs', '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const node = auth === true ? [] : ['--node', `web-1=${await firstLine(peer)}`];
  const host = egress === undefined ? HOSTS.direct : HOSTS.byProxy;
  const addresses = [`${host}:${web.port}`, `ssh=${host}:${ssh.port}`].flatMap((one) => ['--public-address', one]);
  const own = await freePort();
  const cluster = await startCluster(join(folder, 'cluster'), teleport, [
    ...['--port', String(own), ...(auth === true ? [] : addresses), ...node, ...more],
  ]);
  const proxy = await PROXIES[egress ?? 'none']();
  try {
    web.to = auth === true ? portOf(cluster.auth) : own;
    ssh.to = portOf(cluster.ssh);
    proxyPort.to = proxy?.port ?? 0;
    const scene = {
      cluster,
      egress,
      folder,
      proxy,
      proxyPort: proxyPort.port,
      address: `${host}:${web.port}`,
      auth,
      isUpgraded: more.includes('l7'),
    };
    // Through a proxy of the network, the line to it is the long one: it is beside the cluster.
    const lines = egress === undefined ? [web, ssh] : [proxyPort];
    const identity = `type: identity, ssh_config: ${auth === true ? 'off' : 'on'}`;
    const database = 'type: database, service: orders, database: orders, username: ci';
    return {
      // Without a Proxy, there is nothing to write into an ssh_config.
      run: await tripsOf(lines, () => run(scene, identity)),
      ...(hasGoals === true
        ? {
            runWithRoles: await tripsOf(lines, () => run(scene, `${identity}, roles: [access]`)),
            database: await tripsOf(lines, () => run(scene, database)),
            databaseWithRoles: await tripsOf(lines, () => run(scene, `${database}, roles: [access]`)),
          }
        : {}),
      ...(auth === true ? {} : { ssh: await tripsOf(lines, () => sshFirstByte(scene)) }),
    };
  } finally {
    cluster.stop();
    peer.kill();
    proxy?.close();
    for (const one of [web, ssh, proxyPort]) one.close();
  }
}

const PROXIES: Readonly<Record<'none' | NonNullable<Topology['egress']>, () => Promise<ForwardProxy | undefined>>> = {
  none: () => Promise.resolve(undefined),
  http: startHttpProxy,
  https: startHttpsProxy,
  socks5: startSocksProxy,
};

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}

/** Of several runs, the fastest is the one that other load on the machine disturbed least. */
async function tripsOf(lines: readonly DistantPort[], work: () => Promise<number>): Promise<number> {
  const fastest: number[] = [];
  for (const roundTripMs of [NEAR_MS, FAR_MS]) {
    for (const line of lines) line.roundTripMs = roundTripMs;
    const times: number[] = [];
    for (let count = 0; count < RUNS; count += 1) times.push(await work());
    fastest.push(Math.min(...times));
  }
  const [near = 0, far = 0] = fastest;
  return (far - near) / (FAR_MS - NEAR_MS);
}

interface Scene {
  readonly auth: Topology['auth'] | undefined;
  readonly egress: Topology['egress'] | undefined;
  readonly cluster: BenchCluster;
  readonly folder: string;
  readonly proxy: ForwardProxy | undefined;
  readonly proxyPort: number;
  /** Of the Proxy, or of the Auth Service. */
  readonly address: string;
  readonly isUpgraded: boolean;
}

/** @returns the time in milliseconds */
async function run(scene: Scene, output: string): Promise<number> {
  const { address, auth, cluster, folder } = scene;
  rmSync(join(folder, 'out'), { recursive: true, force: true });
  const where =
    auth === true
      ? ['--auth-server', address, '--ca-pin', cluster.caPin]
      : ['--proxy-server', address, '--ca-file', cluster.webCa];
  const config = join(folder, 'tbot.yaml');
  const item = `{ ${output}, destination: { type: directory, path: ${join(folder, 'out')} } }`;
  writeFileSync(config, `version: v2\noutputs: [${item}]\n`);
  const args = ['run', ...where, '--token', cluster.joinToken, '--no-export', '--config', config];
  return timeUntil(scene, args, async (child) => {
    await once(child, 'exit');
    if (child.exitCode !== 0) throw new Error(`run ended with ${String(child.exitCode)}`);
  });
}

async function sshFirstByte(scene: Scene): Promise<number> {
  const { address, cluster, folder, isUpgraded } = scene;
  const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${cluster.cluster}`];
  const flags = [`--proxy-server=${address}`, `--destination-dir=${join(folder, 'out')}`];
  // As the ssh_config of the run says.
  const upgrade = isUpgraded ? ['--connection-upgrade', `--ca-file=${cluster.webCa}`] : ['--no-connection-upgrade'];
  return timeUntil(scene, ['ssh-proxy-command', ...target, ...flags, ...upgrade], async (child) => {
    if (child.stdout !== null) await once(child.stdout, 'readable');
    child.kill('SIGKILL');
  });
}

async function timeUntil(
  scene: Scene,
  args: readonly string[],
  end: (child: ChildProcess) => Promise<void>,
): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [BUNDLE, ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: environmentOf(scene),
  });
  child.stdout.on('data', () => undefined);
  await end(child);
  return performance.now() - start;
}

function environmentOf({ cluster, egress, folder, proxy, proxyPort }: Scene): NodeJS.ProcessEnv {
  const trusted = join(folder, 'trusted.pem');
  if (proxy?.certificate !== undefined) writeFileSync(trusted, proxy.certificate);
  return {
    PATH: process.env.PATH,
    HOME: folder,
    CIRCLE_OIDC_TOKEN: cluster.token,
    SSL_CERT_FILE: cluster.webCa,
    ...(proxy?.certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: trusted }),
    ...(egress === undefined ? {} : { HTTPS_PROXY: `${egress}://localhost:${proxyPort}` }),
  };
}
