/**
 * Plays scenes of the matrix of topologies: a run writes an identity and a kubeconfig, OpenSSH reaches a node, and kubectl
 * a Kubernetes cluster where it can.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';
import { sshKeys, tlsCertificates } from '../cluster/data/authorities.ts';
import { certificatePem } from '../cluster/crypto/x509.ts';
import { toAuthorizedKey } from '../cluster/crypto/ssh-public-key.ts';
import { missing, runProgram } from '../programs.ts';
import { suiteOf } from './authority-keys.ts';
import { guarded } from './egress-jobs.ts';
import { clusterIn, directoryFor, type ClusterWish } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { startHaproxy } from './haproxy.ts';
import { beginJob, type Job } from './job.ts';
import { assertNothingAround, assertTargets, type Way } from './network-ways.ts';
import { startNginxProxy } from './nginx.ts';
import { printTable } from './result-table.ts';
import { resultOf } from './run-result.ts';
import { sshOptions } from './ssh-node.ts';
import { startSshd } from './sshd.ts';
import { type Egress, type Front, isBalancer, type Scene, SCENES } from './topologies.ts';

const user = userInfo().username;
const NODE = 'web-1';
/** Not one after the other: some wait for a firewall that does not answer. */
const CONCURRENCY = 2;
const COLUMNS = ['front', 'place', 'authorities', 'egress', 'teleport'] as const;

/** Declares one test with all scenes of this network, which prints them with their results. */
export function testScenes(egress: Egress, programs: readonly string[], start: (t: TestContext) => Promise<Way>): void {
  const what = egress === 'none' ? 'every topology without a proxy' : `every topology through a proxy: ${egress}`;
  const skip = missing(...programs, 'ssh', 'sshd', 'ssh-keygen', 'kubectl');
  test(what, { skip, concurrency: CONCURRENCY }, async (t) => {
    const startMs = performance.now();
    const stage = { way: await start(t), directory: await warmDirectory(t), nodes: new Nodes(t) };
    const results = new Map<Scene, string>();
    const scenes = SCENES.filter((scene) => scene.egress === egress);
    await Promise.all(
      scenes.map((scene) =>
        t.test(Object.values(scene).join(', '), { skip: missing(...programsOf(scene)) }, async (own) => {
          results.set(scene, 'FAILED');
          results.set(scene, await play(own, scene, stage));
        }),
      ),
    );
    const seconds = Math.round((performance.now() - startMs) / 1000);
    printTable(t, `${what}: ${scenes.length} scenes in ${seconds} s`, [
      [...COLUMNS, 'result'],
      ...scenes.map((scene) => [...COLUMNS.map((column) => scene[column]), results.get(scene) ?? 'not run']),
    ]);
  });
}

function programsOf({ front }: Scene): readonly string[] {
  return isBalancer(front) ? [front] : [];
}

/** The authorities of every state are created first, so that scenes do not create them at the same time. */
async function warmDirectory(t: TestContext): Promise<string> {
  const directory = await directoryFor(t);
  for (const teleport of ['15.3.7', '18.6.0']) {
    await clusterIn(directory, t, { teleport, rotation: 'init', hsm: true });
  }
  return directory;
}

interface Stage {
  readonly directory: string;
  readonly nodes: Nodes;
  readonly way: Way;
}

/** @returns what the table shows: how Auth was reached, and by what else the cluster */
async function play(t: TestContext, scene: Scene, { directory, nodes, way }: Stage): Promise<string> {
  const { host, publicHost } = hostsOf(scene, way);
  const { balancer, cluster, port } = await startTopology(t, scene, { directory, host, publicHost });
  const job = await beginJob(t, cluster);
  const authorities = join(job.folder, 'authorities.pem');
  const webCa = await readFile(cluster.info.webCa, 'utf8');
  await writeFile(authorities, [webCa, balancer, way.trusted].filter((pem) => pem !== undefined).join('\n'));
  const guard = await guarded(job);
  const environment = {
    ...way.environment,
    ...(publicHost === UNREACHABLE ? { TBOT_USE_PROXY_ADDR: 'yes' } : {}),
    SSL_CERT_FILE: authorities,
  };
  const watched = { ...environment, ...guard.environment };

  const flags = job.flags.map((flag) => (flag === cluster.info.proxy ? `${host}:${port}` : flag));
  const run = await job.run([...flags, '--kubernetes-cluster', 'dev', '--ssh', '--debug', '--json'], {
    environment: watched,
    ...(way.secrets === undefined ? {} : { secrets: way.secrets }),
  });
  assert.deepEqual(
    resultOf(run).outputs.map(({ type }) => type),
    ['identity', 'kubernetes'],
  );
  const [, reached = ''] = /the Auth Service was reached with (.*)$/m.exec(run.stderr) ?? [];
  assert.match(reached, REACHED[scene.front]);
  await assertTrustsAll(cluster, job);

  await assertSsh(cluster, job, { environment: watched, port: await nodes.portFor(cluster, scene) });
  await assertNothingAround(way, guard);
  const kubectl = await tryKubectl(job, environment, kubectlFailure(scene, host));
  await assertTargets(way, { hosts: [host, publicHost], ports: [port, ...portsOf(cluster)], atLeast: 3 });
  return `Auth by ${shortWay(reached)}, ssh, ${kubectl}`;
}

interface Topology {
  readonly cluster: Cluster;
  /** Of the web address that is given. */
  readonly port: number;
  /** PEM of a load balancer's certificate. */
  readonly balancer?: string;
}

/** A proxy's log tells scenes apart by the ports, but clusters can have the same port at different addresses. */
const taken = new Set<number>();
const MOST_CLUSTERS = 5;

/** A cluster whose ports no other scene has, nor a balancer in front of one. */
async function clusterWithOwnPorts(start: () => Promise<Cluster>, balancerPort: number | undefined): Promise<Cluster> {
  for (let tries = 1; ; tries += 1) {
    const cluster = await start();
    const ports = new Set([...portsOf(cluster), ...(balancerPort === undefined ? [] : [balancerPort])]);
    if (tries < MOST_CLUSTERS && [...ports].some((port) => taken.has(port))) continue;
    for (const port of ports) taken.add(port);
    return cluster;
  }
}

async function startTopology(
  t: TestContext,
  scene: Scene,
  { directory, host, publicHost }: { readonly directory: string; readonly host: string; readonly publicHost: string },
): Promise<Topology> {
  const wish = { ...wishOf(scene), otherHosts: host.startsWith('[') ? [] : [host], extraLogins: [user] };
  const { front } = scene;
  if (!isBalancer(front)) {
    const publicAddress = `${publicHost}:0`;
    const cluster = await clusterWithOwnPorts(() => clusterIn(directory, t, { ...wish, publicAddress }), undefined);
    return { cluster, port: portOf(cluster.info.proxy) };
  }
  const port = await freePort();
  const publicAddress = `${publicHost}:${port}`;
  const local = { ...wish, listenHost: '127.0.0.1', publicAddress } as const;
  const cluster = await clusterWithOwnPorts(() => clusterIn(directory, t, local), port);
  const options = { behind: cluster.info.proxy, host, port, listenHost: wish.listenHost };
  const { certificate } =
    front === 'nginx'
      ? await startNginxProxy(t, { ...options, http2: true, upgrades: true })
      : await startHaproxy(t, options);
  return { cluster, port, balancer: certificate };
}

function portsOf({ info: { kube, proxy, ssh, tunnel } }: Cluster): readonly number[] {
  return [kube, proxy, ssh, tunnel].map(portOf);
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}

const BY_CLUSTER = /^the TLS server name [0-9a-f]+\.teleport\.cluster\.local$/;
const BY_UPGRADE = /^a connection upgrade/;
const REACHED: Readonly<Record<Front, RegExp>> = {
  plain: BY_CLUSTER,
  cloud: BY_CLUSTER,
  'sni-firewall': /^the TLS server name (?!.*teleport\.cluster\.local)/,
  nginx: BY_UPGRADE,
  haproxy: BY_UPGRADE,
  separate: BY_CLUSTER,
  'separate, no web route to Auth': /^the Proxy's SSH port$/,
};

function shortWay(reached: string): string {
  if (reached.startsWith('a connection upgrade')) return 'upgrade';
  if (reached.endsWith('SSH port')) return 'SSH port';
  return reached.endsWith('.teleport.cluster.local') ? "cluster's SNI" : "Proxy's SNI";
}

/** Known nowhere: everything must be reached by the given address. */
const UNREACHABLE = 'unreachable.teleport.test';

function hostsOf({ front, place }: Scene, { names }: Way): { readonly host: string; readonly publicHost: string } {
  switch (place) {
    case 'as given':
      return { host: names.given, publicHost: names.given };
    case 'IPv6 only':
      return { host: names.ipv6, publicHost: names.ipv6 };
    case 'other public':
      // The other ports are at the public host, which TBOT_USE_PROXY_ADDR does not change (protocol reference 1.3).
      return { host: names.given, publicHost: front.startsWith('separate') ? names.public : UNREACHABLE };
    default:
      return place satisfies never;
  }
}

function wishOf({ authorities, front, place, teleport }: Scene) {
  return {
    teleport,
    ...frontOf(front),
    ...(authorities === 'stable' ? {} : authorities === 'hsm' ? { hsm: true } : { rotation: authorities }),
    listenHost: place === 'IPv6 only' ? '::1' : '127.0.0.1',
  } as const satisfies ClusterWish;
}

function frontOf(front: Front): Pick<ClusterWish, 'front' | 'webRoutesAuth'> {
  if (front === 'separate, no web route to Auth') return { front: 'separate', webRoutesAuth: false };
  return { front: isBalancer(front) ? 'plain' : front };
}

/** Nodes with a real sshd, one for each state of the authorities. */
class Nodes {
  readonly #t: TestContext;
  readonly #ports = new Map<string, Promise<number>>();

  constructor(t: TestContext) {
    this.#t = t;
  }

  portFor(cluster: Cluster, { authorities }: Scene): Promise<number> {
    const name = `${suiteOf(cluster)} ${authorities}`;
    const port = this.#ports.get(name) ?? this.#start(cluster);
    this.#ports.set(name, port);
    return port;
  }

  async #start(cluster: Cluster): Promise<number> {
    const folder = await directoryFor(this.#t);
    const { port } = await startSshd(this.#t, cluster, folder, { hostName: `${NODE}.${cluster.info.cluster}` });
    return port;
  }
}

interface SshScene {
  readonly environment: Readonly<Record<string, string>>;
  readonly port: number;
}

async function assertSsh(cluster: Cluster, job: Job, { environment, port }: SshScene): Promise<void> {
  const node = cluster.nodes.find(({ name }) => name === NODE);
  assert.ok(node);
  node.port = port;
  const args = [...sshOptions(job), `${user}@${NODE}.${cluster.info.cluster}`, 'echo let in'];
  const { stderr, stdout } = await runProgram('ssh', args, { environment: { HOME: job.folder, ...environment } });
  assert.equal(stdout, 'let in\n', stderr === '' ? undefined : stderr);
}

interface KubectlFailure {
  /** For the table. */
  readonly why: string;
  readonly says: RegExp;
}

/** Where kubectl cannot work with a kubeconfig of a Teleport Proxy (tbot reference 3.5). */
function kubectlFailure({ egress, front }: Scene, host: string): KubectlFailure | undefined {
  if (egress === 'https') {
    // Go checks the proxy with the authorities and the server name of the kubeconfig, which are the cluster's.
    return { why: 'the https proxy', says: /proxyconnect tcp: tls: failed to verify certificate: x509: / };
  }
  if (isBalancer(front)) return { why: 'the load balancer', says: /tls: failed to verify certificate: x509: / };
  // For an address, the server name of Kubernetes ends in teleport.cluster.local, which the firewall drops.
  if (front === 'sni-firewall' && host.startsWith('[')) return { why: 'the firewall', says: /[tT]imeout|deadline/ };
  return undefined;
}

/** @returns what the table shows */
async function tryKubectl(
  job: Job,
  environment: Readonly<Record<string, string>>,
  failure: KubectlFailure | undefined,
): Promise<string> {
  const kubeconfig = join(job.destination, 'kubernetes', 'kubeconfig.yaml');
  const path = '/api/v1/namespaces/default/pods';
  const args = ['--kubeconfig', kubeconfig, 'get', '--raw', path, ...(failure ? ['--request-timeout=2s'] : [])];
  const { stderr, stdout } = await runProgram('kubectl', args, { environment: { HOME: job.folder, ...environment } });
  if (failure === undefined) {
    assert.match(stdout, /"pod-of-dev"/, stderr);
    return 'kubectl';
  }
  assert.match(stderr, failure.says, stdout);
  return `no kubectl: ${failure.why}`;
}

const Kubeconfig = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ 'certificate-authority-data': z.base64() }) })]),
});

/** The files contain every key of an authority, and of no other, whatever its state. */
async function assertTrustsAll(cluster: Cluster, job: Job): Promise<void> {
  const { authorities } = cluster.world;
  const read = (name: string) => readFile(join(job.destination, name), 'utf8');
  for (const type of ['host', 'user', 'db'] as const) {
    const pems = authorities
      .filter((one) => one.type === type)
      .flatMap(tlsCertificates)
      .map(certificatePem);
    const name = type === 'db' ? 'database' : type;
    assert.deepEqual(blocks(await read(`teleport-${name}-ca.crt`)), blocks(pems.join('\n')), type);
    if (type === 'host') assert.deepEqual(blocks(await read('identity')).slice(1), blocks(pems.join('\n')));
  }
  const hosts = authorities.filter(({ type }) => type === 'host');
  const lines = (await read('known_hosts')).trim().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ').slice(2, 4).join(' ')),
    hosts.flatMap(sshKeys).map((key) => toAuthorizedKey(key).trim()),
  );
  const kubeconfig = Kubeconfig.parse(parse(await read(join('kubernetes', 'kubeconfig.yaml'))));
  const trusted = kubeconfig.clusters[0].cluster['certificate-authority-data'];
  const own = hosts.filter((one) => one.cluster === cluster.info.cluster).flatMap(tlsCertificates);
  assert.deepEqual(blocks(Buffer.from(trusted, 'base64').toString('utf8')), blocks(own.map(certificatePem).join('\n')));
}

/** The base64 of each certificate, without line breaks, which programs set differently. */
function blocks(text: string): readonly string[] {
  const found = text.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g);
  return [...found].map(([, base64 = '']) => base64.replaceAll(/\s/g, ''));
}
