/** Runs the config of each topology in docs/how-to/networks.md as a job, in that topology. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { textOf } from '../docs/documents.ts';
import { type CodeBlock, codeBlocks } from '../docs/markdown.ts';
import { type JobResult, runJob } from '../job-runner/run-job.ts';
import { packedWith } from '../orb/source.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { startSquid } from './egress-proxies.ts';
import { clusterFor, type ClusterWish } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { startNginxProxy } from './nginx.ts';
import { BUNDLE } from './run-bundle.ts';

const PAGE = 'docs/how-to/networks.md';
const orb = packedWith(await readFile(BUNDLE));

/** What stands for the network of a section. */
interface Scene {
  readonly cluster: Cluster;
  /** In place of the address in the config. */
  readonly address: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** In place of other texts of the config. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Of the checkout. */
  readonly files?: Readonly<Record<string, string>>;
}

interface Topology {
  readonly programs?: readonly string[];
  readonly begin: (t: TestContext, blocks: readonly CodeBlock[]) => Promise<Scene>;
  readonly check?: (result: JobResult, scene: Scene, home: string) => Promise<void> | void;
}

/** By heading. */
const TOPOLOGIES: Readonly<Record<string, Topology>> = {
  'One port with TLS routing': { begin: (t) => behind(t, { front: 'cloud' }) },
  'Separate ports': {
    begin: (t) => behind(t, { front: 'separate' }),
    check: async (_result, { cluster }, home) => {
      const port = cluster.info.kube.split(':').at(-1);
      const kubeconfig = await readFile(join(home, '.teleport-identity/kubernetes/kubeconfig.yaml'), 'utf8');
      assert.match(kubeconfig, new RegExp(`server: https://[^/]*:${String(port)}\\b`));
    },
  },
  'A load balancer that terminates TLS (layer 7)': {
    programs: ['nginx', 'openssl'],
    begin: async (t, blocks) => {
      const port = await freePort();
      const scene = await behind(t, { publicAddress: `localhost:${port}` });
      const inner = scene.cluster.info.proxy.split(':').at(-1) ?? '';
      const location = blocks
        .find(({ language }) => language === 'nginx')
        ?.text.replace(/teleport-proxy:443/, `localhost:${inner}`);
      const { address, certificate } = await startNginxProxy(t, { behind: '', http2: false, port, location });
      const file = join(await temporaryFolder(t), 'balancer.pem');
      await writeFile(file, certificate);
      return { ...scene, address, environment: { SSL_CERT_FILE: file } };
    },
    check: ({ steps }) => {
      assert.match(said(steps), /a load balancer at \S+ terminates TLS: connections are upgraded to pass it/);
    },
  },
  'A firewall that filters server names': {
    begin: (t) => behind(t, { front: 'sni-firewall' }),
    check: ({ steps }) => {
      assert.match(said(steps), /cannot reach the Auth Service with the TLS server name \S+\.teleport\.cluster\.local/);
    },
  },
  'A private authority for the web certificate': {
    begin: async (t) => {
      const { address, cluster } = await behind(t, {});
      return { address, cluster, files: { 'ci/web-ca.pem': await readFile(cluster.info.webCa, 'utf8') } };
    },
  },
  'Another public address, split-horizon DNS': {
    begin: (t) => behind(t, { publicAddress: 'unreachable.teleport.test:443' }),
    check: async (_result, { address }, home) => {
      const config = await readFile(join(home, '.teleport-identity/ssh_config'), 'utf8');
      assert.ok(config.includes(`--proxy-server='${address}'`), config);
      assert.doesNotMatch(config, /--proxy-server='unreachable/);
    },
  },
  'The Auth Service directly': {
    begin: async (t, blocks) => {
      const cluster = await clusterFor(t, { authOnly: true });
      const { auth, caPin } = cluster.info;
      const config = blocks.find(({ text }) => text.startsWith('# tbot.yaml'))?.text ?? '';
      const own = config.replace(/sha256:\w+/, caPin).replace('auth.example.com:3025', auth);
      return { cluster, address: auth, files: { 'tbot.yaml': own } };
    },
  },
  'HTTP and SOCKS proxies': {
    programs: ['squid'],
    begin: async (t) => {
      const host = 'teleport.corp.test';
      const port = await freePort();
      const scene = await behind(t, { port, publicAddress: `${host}:${port}` });
      const proxy = await startSquid(t, { names: [host] });
      return { ...scene, address: `${host}:${port}`, texts: { 'http://proxy.example.com:3128': proxy.url } };
    },
  },
};

/** At the name `localhost`, whose certificate the environment of the job trusts. */
async function behind(t: TestContext, wish: ClusterWish): Promise<Scene> {
  const cluster = await clusterFor(t, { otherHosts: ['localhost'], ...wish });
  return { cluster, address: cluster.info.proxy, environment: { SSL_CERT_FILE: cluster.info.webCa } };
}

function said(steps: JobResult['steps']): string {
  return steps.map(({ name, stderr, stdout }) => `${name}: ${stdout}${stderr}`).join('\n');
}

/** Sections with a job that joins. */
const found = textOf(PAGE)
  .split(/^#{2,3} /m)
  .map((section) => ({ heading: section.split('\n', 1)[0] ?? '', blocks: codeBlocks(section, PAGE) }))
  .filter(({ blocks }) => blocks.some(({ text }) => text.includes('machine-id/join')));

test('each topology of the page is tested, and each test has its config', () => {
  assert.deepEqual(found.map(({ heading }) => heading).sort(), Object.keys(TOPOLOGIES).sort());
});

for (const { blocks, heading } of found) {
  const { begin, check, programs = [] } = TOPOLOGIES[heading] ?? { begin: () => assert.fail(heading) };
  test(`${heading}: the job joins`, { skip: missing(...programs) }, async (t) => {
    const scene = await begin(t, blocks);
    const { address, cluster, environment = {}, files = {}, texts = {} } = scene;
    const home = await temporaryFolder(t);
    const source = join(home, 'source');
    await mkdir(join(source, 'ci'), { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      const own = text.replaceAll('/home/circleci', home).replaceAll('circleci-deploy', cluster.info.joinToken);
      await writeFile(join(source, name), own);
    }
    const config = blocks.find(({ text }) => text.includes('machine-id/join'))?.text ?? '';
    const own = Object.entries(texts).reduce((text, [from, to]) => text.replaceAll(from, to), config);
    const result = await runJob({
      config: own
        .replace(/(proxy:) \S+:\d+$/m, `$1 ${address}`)
        .replaceAll('circleci-deploy', cluster.info.joinToken)
        .replace('- machine-id/install', `- machine-id/install: { bundle_path: ${resolve(BUNDLE)} }`),
      orbs: { 'machine-id': orb },
      job: 'deploy',
      home,
      checkoutFrom: source,
      environment: { CIRCLE_OIDC_TOKEN: await cluster.mint(), PATH: process.env.PATH ?? '', ...environment },
    });
    assert.equal(result.exitCode, 0, said(result.steps));
    assert.match(said(result.steps), new RegExp(` for ${cluster.info.cluster} \\(Teleport `));
    await check?.(result, scene, home);
  });
}
