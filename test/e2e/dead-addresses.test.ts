/** Networks in which addresses do not answer, each in a network namespace: what works in spite of that, and how soon. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { missing, program, runProgram } from '../programs.ts';
import { cannotMount } from '../small-disk.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { type InnerNetwork, isolatedNetwork } from './isolated-network.ts';
import { beginJob, type Job } from './job.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const authorities = await directoryFor({ after });
const user = userInfo().username;
const skip = cannotMount ?? missing('socat', 'unshare', 'setpriv', 'ip', 'mount', 'ssh', 'sshd', 'ssh-keygen');

const NAME = 'teleport.corp.test';
const IPV4 = '203.0.113.10';
const IPV6 = '2001:db8:2::10';
const DEAD_IPV4 = '203.0.113.66';
const DEAD_IPV6 = '2001:db8:2::66';
/** Waiting for a dead address takes the time-out of a connection, which is longer, and there are several connections. */
const SOON_MS = 20_000;

interface Inside {
  readonly job: Job;
  readonly within: Awaited<ReturnType<typeof isolatedNetwork>>;
  readonly cluster: Awaited<ReturnType<typeof clusterIn>>;
  /** For a run that names the Proxy by `NAME`. */
  readonly flags: readonly string[];
}

async function enter(
  t: TestContext,
  network: Omit<InnerNetwork, 'port'>,
  { publicHost = NAME, teleport = '18.6.0' } = {},
): Promise<Inside> {
  const wish = { teleport, publicAddress: `${publicHost}:0`, otherHosts: [NAME], extraLogins: [user] };
  const cluster = await clusterIn(authorities, t, wish);
  const port = Number(cluster.info.proxy.split(':')[1]);
  const within = await isolatedNetwork(t, { ...network, port });
  const job = await beginJob(t, cluster);
  const flags = job.flags.map((flag) => (flag === cluster.info.proxy ? `${NAME}:${port}` : flag));
  return { cluster, job, within, flags: [...flags, '--no-export'] };
}

/** Runs a command inside. */
async function inside(
  { job, within: [unshare, ...before], cluster }: Inside,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const own = { HOME: job.folder, SSL_CERT_FILE: cluster.info.webCa, ...environment };
  const { stderr, stdout } = await runProgram(unshare, [...before, ...command], { environment: own });
  assert.notEqual(stdout, '', stderr);
  return stdout;
}

interface Expected {
  readonly environment?: Readonly<Record<string, string>>;
  readonly kubectl?: boolean;
}

/** Ubuntu, on which CI can make networks, has no package of kubectl. */
const hasKubectl = program('kubectl') !== 'kubectl';

async function assertWorks(t: TestContext, place: Inside, { environment = {}, kubectl = hasKubectl }: Expected = {}) {
  const { cluster, flags, job, within } = place;
  const startMs = performance.now();
  const run = await job.run([...flags, '--kubernetes-cluster', 'dev', '--ssh', '--json'], { within, environment });
  assert.deepEqual(
    resultOf(run).outputs.map(({ type }) => type),
    ['identity', 'kubernetes'],
  );
  await startNode(t, cluster, job, { name: 'web-1' });
  const host = `${user}@web-1.${cluster.info.cluster}`;
  assert.equal(await inside(place, ['ssh', ...sshOptions(job), host, 'echo let in'], environment), 'let in\n');
  const args = ['--kubeconfig', kubeconfigOf(job), 'get', '--raw', '/api/v1/namespaces/default/pods'];
  if (kubectl) assert.match(await inside(place, ['kubectl', ...args], environment), /"pod-of-dev"/);
  assert.ok(performance.now() - startMs < SOON_MS);
}

function kubeconfigOf({ destination }: Job): string {
  return join(destination, 'kubernetes', 'kubeconfig.yaml');
}

interface Several {
  readonly what: string;
  readonly teleport: string;
  readonly network: Omit<InnerNetwork, 'port'>;
  /** False where kubectl waits 15 seconds: Go tries the addresses of a family one after the other. */
  readonly kubectl?: boolean;
}

const SEVERAL: readonly Several[] = [
  {
    what: 'a dead IPv6 address before a living IPv4 address',
    teleport: '18.6.0',
    network: { at: IPV4, dropped: [DEAD_IPV6], names: { [NAME]: [DEAD_IPV6, IPV4] } },
  },
  {
    what: 'a dead IPv4 address before a living IPv6 address',
    teleport: '15.3.7',
    network: { at: IPV6, dropped: [DEAD_IPV4], ipv4First: true, names: { [NAME]: [DEAD_IPV4, IPV6] } },
  },
  {
    what: 'dead addresses of both families before a living one',
    teleport: '19.0.0',
    network: {
      at: IPV4,
      dropped: [DEAD_IPV4],
      unreachable: [DEAD_IPV6],
      names: { [NAME]: [DEAD_IPV6, DEAD_IPV4, IPV4] },
    },
    kubectl: false,
  },
];

for (const { kubectl, network, teleport, what } of SEVERAL) {
  test(`${what}: run and ssh-proxy-command work soon (Teleport ${teleport})`, { skip }, async (t) => {
    await assertWorks(t, await enter(t, network, { teleport }), kubectl === undefined ? {} : { kubectl });
  });
}

test('where the public address is dead, TBOT_USE_PROXY_ADDR puts the given one in every file', { skip }, async (t) => {
  const publicHost = 'teleport.example.com';
  const names = { [NAME]: [IPV4], [publicHost]: [DEAD_IPV4] };
  const place = await enter(t, { at: IPV4, dropped: [DEAD_IPV4], names }, { publicHost });
  const { flags, job, within } = place;
  resultOf(await job.run([...flags, '--kubernetes-cluster', 'dev', '--ssh', '--json'], { within }));
  for (const file of [join(job.destination, 'ssh_config'), kubeconfigOf(job)]) {
    const text = await readFile(file, 'utf8');
    assert.ok(text.includes(publicHost) && !text.includes(NAME), text);
  }
  await assertWorks(t, place, { environment: { TBOT_USE_PROXY_ADDR: 'yes' } });
});

const FIREWALLS = [
  [
    'dropped',
    {
      code: 'TIMEOUT',
      says: /did not respond within 1 s[^]*a firewall drops[^]*HTTPS_PROXY/,
      hint: /firewall .* drops packets/,
    },
  ],
  [
    'unreachable',
    {
      code: 'PROXY_UNREACHABLE',
      says: /203\.0\.113\.66:\d+: there is no route to the host [^]*a firewall drops[^]*HTTPS_PROXY/,
    },
  ],
  ['prohibited', { code: 'PROXY_UNREACHABLE', says: /firewall of this machine prohibits .*\(EACCES\)[^]*HTTPS_PROXY/ }],
] as const;

for (const [how, refusal] of FIREWALLS) {
  test(`a firewall in front of the Proxy, packets are ${how}: ${refusal.code}`, { skip }, async (t) => {
    const { flags, job, within } = await enter(t, { [how]: [DEAD_IPV4], names: { [NAME]: [DEAD_IPV4] } });
    const run = await job.run([...flags, '--timeout', '1', '--deadline', '2'], { within });
    assertRefused(run, refusal);
  });
}
