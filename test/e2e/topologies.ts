/**
 * The matrix of topologies: one scene for each pair of a front, an address, a state of the authorities, a proxy of the network
 * and a version of Teleport. In each, a run writes an identity and a kubeconfig, OpenSSH reaches a node and kubectl a
 * Kubernetes cluster.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
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
import { clusterIn, directoryFor, type ClusterWish } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { type Case, pairwise } from './pairwise.ts';
import { resultOf } from './run-result.ts';
import { sshOptions } from './ssh-node.ts';
import { startSshd } from './sshd.ts';
import { suiteOf } from './authority-keys.ts';

const Front = z.enum([
  'plain',
  'cloud',
  'sni-firewall',
  'l7',
  'l7-alert',
  'l7-h2',
  'l7-unoffered',
  'separate',
  'separate, no web route to Auth',
]);
type Front = z.infer<typeof Front>;

/** `other public`: ping reports another address than the user gives. */
const Place = z.enum(['as given', 'other public', 'IPv6 only']);

/** Phases of a rotation; `hsm`: two active keys of the user authority, of which the second signs. */
const Authorities = z.enum(['stable', 'init', 'update_clients', 'update_servers', 'rollback', 'hsm']);
type Authorities = z.infer<typeof Authorities>;

const Egress = z.enum(['none', 'http', 'https', 'socks5', 'NO_PROXY']);
export type Egress = z.infer<typeof Egress>;

const Teleport = z.enum(['15.3.7', '17.7.1', '18.6.0', '19.0.0']);

const Scene = z.object({ front: Front, place: Place, authorities: Authorities, egress: Egress, teleport: Teleport });
export type Scene = z.infer<typeof Scene>;

export const DIMENSIONS = {
  front: Front.options,
  authorities: Authorities.options,
  egress: Egress.options,
  teleport: Teleport.options,
  place: Place.options,
};

/** Without a proxy that knows a name, the IPv6 address is all there is, and Teleport Cloud knows its tenants by name. */
export function isPossible({ egress, front, place }: Case): boolean {
  return front !== 'cloud' || place !== 'IPv6 only' || (egress !== 'none' && egress !== 'NO_PROXY');
}

export const SCENES: readonly Scene[] = pairwise(DIMENSIONS, isPossible).map((one) => Scene.parse(one));

/** What the proxy of the network gives to a job. */
export interface Way {
  /** Names that reach 127.0.0.1 or ::1 this way. */
  readonly names: Readonly<Record<'given' | 'public' | 'ipv6', string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  /** Checks what the proxy has seen of the job. */
  readonly check?: (cluster: Cluster) => Promise<void>;
}

const user = userInfo().username;
const NODE = 'web-1';
/** A few scenes at a time: some wait for a firewall that does not answer. */
const CONCURRENCY = 3;

/** Declares one test with all scenes of these proxies, which prints them with their results. */
export function testScenes(what: string, ways: (t: TestContext) => Promise<ReadonlyMap<Egress, Way>>): void {
  const skip = missing('ssh', 'sshd', 'ssh-keygen', 'kubectl');
  test(what, { skip, concurrency: CONCURRENCY }, async (t) => {
    const byEgress = await ways(t);
    const directory = await warmDirectory(t);
    const nodes = new Nodes(t);
    const results = new Map<Scene, string>();
    const scenes = SCENES.filter(({ egress }) => byEgress.has(egress));
    await Promise.all(
      scenes.map((scene) =>
        t.test(Object.values(scene).join(', '), async (own) => {
          results.set(scene, 'FAILED');
          const way = byEgress.get(scene.egress);
          assert.ok(way);
          results.set(scene, await play(own, scene, { directory, nodes, way }));
        }),
      ),
    );
    for (const line of table(scenes, results)) t.diagnostic(line);
  });
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
  const cluster = await clusterIn(directory, t, {
    ...wishOf(scene),
    publicAddress: `${publicHost}:0`,
    otherHosts: host.startsWith('[') ? [] : [host],
    extraLogins: [user],
  });
  const job = await beginJob(t, cluster);
  const given = `${host}:${cluster.info.proxy.split(':').at(-1) ?? ''}`;
  const environment = { ...way.environment, ...(isUnreachable(publicHost) ? { TBOT_USE_PROXY_ADDR: 'yes' } : {}) };
  const flags = job.flags.map((flag) => (flag === cluster.info.proxy ? given : flag));
  const run = await job.run([...flags, '--kubernetes-cluster', 'dev', '--ssh', '--debug', '--json'], {
    environment,
    ...(way.secrets === undefined ? {} : { secrets: way.secrets }),
  });
  assert.deepEqual(
    resultOf(run).outputs.map(({ type }) => type),
    ['identity', 'kubernetes'],
  );
  const [, reached = ''] = /the Auth Service was reached with (.*)$/m.exec(run.stderr) ?? [];
  assert.match(reached, REACHED[scene.front]);
  await assertTrustsAll(cluster, job);
  await assertSsh(cluster, job, { environment, port: await nodes.portFor(cluster, scene) });
  if (!kubectlWorks(scene, host)) return `Auth by ${shortWay(reached)}, ssh`;
  await assertKubectl(job, environment);
  return `Auth by ${shortWay(reached)}, ssh, kubectl`;
}

/** Through a load balancer that terminates TLS, no client certificate reaches the Proxy (tbot reference 3.5). */
function kubectlWorks({ front }: Scene, host: string): boolean {
  if (front.startsWith('l7')) return false;
  // For an address, the server name of Kubernetes ends in teleport.cluster.local, which the firewall drops.
  return front !== 'sni-firewall' || !host.startsWith('[');
}

const REACHED: Readonly<Record<Front, RegExp>> = {
  plain: /^the TLS server name [0-9a-f]+\.teleport\.cluster\.local$/,
  cloud: /^the TLS server name [0-9a-f]+\.teleport\.cluster\.local$/,
  'sni-firewall': /^the TLS server name (?!.*teleport\.cluster\.local)/,
  l7: /^a connection upgrade/,
  'l7-alert': /^a connection upgrade/,
  'l7-h2': /^a connection upgrade/,
  'l7-unoffered': /^a connection upgrade/,
  separate: /^the TLS server name [0-9a-f]+\.teleport\.cluster\.local$/,
  'separate, no web route to Auth': /^the Proxy's SSH port$/,
};

function shortWay(reached: string): string {
  if (reached.startsWith('a connection upgrade')) return 'upgrade';
  if (reached.endsWith('SSH port')) return 'SSH port';
  return reached.endsWith('.teleport.cluster.local') ? "cluster's SNI" : "Proxy's SNI";
}

/** Known nowhere: everything must be reached by the given address. */
const UNREACHABLE = 'unreachable.teleport.test';

function isUnreachable(host: string): boolean {
  return host === UNREACHABLE;
}

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

function wishOf({ authorities, front, place, teleport }: Scene): ClusterWish {
  return {
    teleport,
    ...(front === 'separate, no web route to Auth' ? { front: 'separate', webRoutesAuth: false } : { front }),
    ...(authorities === 'stable' ? {} : authorities === 'hsm' ? { hsm: true } : { rotation: authorities }),
    listenHost: place === 'IPv6 only' ? '::1' : '127.0.0.1',
  };
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
  const own = { HOME: job.folder, SSL_CERT_FILE: cluster.info.webCa };
  const { stderr, stdout } = await runProgram('ssh', args, { environment: { ...own, ...environment } });
  assert.equal(stdout, 'let in\n', stderr);
}

async function assertKubectl(job: Job, environment: Readonly<Record<string, string>>): Promise<void> {
  const kubeconfig = join(job.destination, 'kubernetes', 'kubeconfig.yaml');
  const args = ['--kubeconfig', kubeconfig, 'get', '--raw', '/api/v1/namespaces/default/pods'];
  const { stderr, stdout } = await runProgram('kubectl', args, { environment: { HOME: job.folder, ...environment } });
  assert.match(stdout, /"pod-of-dev"/, stderr);
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

/** One line for each scene, in columns. */
function table(scenes: readonly Scene[], results: ReadonlyMap<Scene, string>): readonly string[] {
  const columns = ['front', 'place', 'authorities', 'egress', 'teleport'] as const;
  const rows = [
    [...columns, 'result'],
    ...scenes.map((scene) => [...columns.map((column) => scene[column]), results.get(scene) ?? 'not run']),
  ];
  const widths = columns.map((_column, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '));
}
