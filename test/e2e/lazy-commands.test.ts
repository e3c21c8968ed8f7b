import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import * as z from 'zod/mini';
import { beginJobAt, clusterNamed, HOST } from './egress-jobs.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { NODE } from './run-bundle.ts';

const authorities = await directoryFor({ after });
const folder = mkdtempSync(join(tmpdir(), 'readable-bundle-'));
const bundle = join(folder, 'machine-id.cjs');
const run = promisify(execFile);

before(() => run(NODE, ['scripts/build.mjs', '--readable', '--out', folder]));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const Loaded = z.object({ sources: z.array(z.string()), nodes: z.array(z.string()) });

/**
 * Paths of the modules that the command evaluated: those of the parts that it compiled, and of the part that is always
 * evaluated. esbuild writes the path of each module above its code.
 */
async function evaluated(command: readonly string[], environment?: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const { sources } = await loadedBy(command, environment);
  return [readFileSync(bundle, 'utf8'), ...sources].flatMap(modulesIn);
}

async function loadedBy(command: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const report = join(mkdtempSync(join(folder, 'parts-')), 'sources.json');
  const options = { env: { PATH: process.env.PATH, ...environment, PARTS_LOADED: report }, timeout: 30_000 };
  const running = run(NODE, ['--require', './test/e2e/parts-loaded.cjs', bundle, ...command], options);
  running.child.stdin?.end();
  await running;
  return Loaded.parse(JSON.parse(readFileSync(report, 'utf8')));
}

function modulesIn(source: string): readonly string[] {
  return [...source.matchAll(/^\/\/ ((?:src|node_modules)\/\S+)$/gm)].map(([, path = '']) => path);
}

const isHeavy = (path: string) => /^node_modules\/(?:yaml|zod|jose|node-fetch)\//.test(path) || isForProxies(path);
/** Of use only if the environment names an HTTP or SOCKS proxy. */
const isForProxies = (path: string) => /^src\/net\/(?:egress-tunnel|egress-failure|http-connect|socks)\.ts$/.test(path);

test('commands that run once per connection do not load the YAML reader or schemas', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const environment = { CIRCLE_OIDC_TOKEN: await cluster.mint(), HOME: job.folder, SSL_CERT_FILE: cluster.info.webCa };
  const whole = await evaluated([...job.flags, '--no-export'], environment);
  for (const name of ['src/commands/run.ts', 'node_modules/zod/v4/core/core.js']) {
    assert.ok(whole.includes(name), `run evaluates ${name}, so this test would see it`);
  }

  await t.test('kube-credentials', async () => {
    const modules = await evaluated(['kube-credentials', `--destination-dir=${job.destination}`]);
    assert.ok(modules.includes('src/commands/exec-credential.ts'), modules.join('\n'));
    assert.ok(!modules.includes('src/process.ts'), modules.join('\n'));
    assert.deepEqual(modules.filter(isHeavy), []);
  });

  await t.test('kube-credentials loads none of the larger modules of Node', async () => {
    const { nodes } = await loadedBy(['kube-credentials', `--destination-dir=${job.destination}`]);
    assert.ok(nodes.includes('os'), nodes.join('\n'));
    const larger = [
      'internal/abort_controller',
      'child_process',
      'crypto',
      'fs/promises',
      'net',
      'stream',
      'timers/promises',
      'tls',
      'tty',
    ];
    assert.deepEqual(
      nodes.filter((name) => larger.includes(name)),
      [],
    );
  });

  await t.test('ssh-proxy-command', async () => {
    const node = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    t.after(() => node.close());
    await once(node, 'listening');
    const known = cluster.nodes.find(({ name }) => name === 'web-1');
    assert.ok(known);
    known.port = portOf(node.address());
    const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${cluster.info.cluster}`];
    const place = [`--proxy-server=${cluster.info.proxy}`, `--destination-dir=${job.destination}`];
    const modules = await evaluated(['ssh-proxy-command', ...target, ...place]);
    assert.ok(modules.includes('src/teleport/ssh-proxy.ts'), modules.join('\n'));
    assert.deepEqual(modules.filter(isHeavy), []);
  });
});

test('the version and the help of the program evaluate two files', async () => {
  for (const flag of ['version', '--help']) {
    assert.deepEqual([...(await evaluated([flag]))].sort(), ['src/command-table.ts', 'src/main.ts']);
  }
});

test('a run loads neither other commands nor what its flags do not need', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const environment = { CIRCLE_OIDC_TOKEN: await cluster.mint(), HOME: job.folder, SSL_CERT_FILE: cluster.info.webCa };
  const modules = await evaluated([...job.flags, '--no-export'], environment);
  const unused =
    /^src\/(?:tbot\/|rules\/|commands\/(?:doctor|init|explain-token|install-tools)\/|commands\/(?:html|run-page|run-with-tbot)\.ts)/;
  assert.deepEqual(
    modules.filter((path) => unused.test(path) || isForProxies(path)),
    [],
  );
});

test('with an HTTP proxy, its code is loaded, and that for SOCKS proxies is not', async (t) => {
  const named = await clusterNamed(t, HOST);
  const job = await beginJobAt(t, named);
  const proxy = createHttpServer().on('connect', (_request, socket) => {
    const upstream = connect(Number(named.place.replace(/^.*:/, '')), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    for (const one of [socket, upstream]) one.on('error', () => undefined);
  });
  proxy.listen(0, '127.0.0.1');
  t.after(() => proxy.close());
  await once(proxy, 'listening');
  const environment = {
    CIRCLE_OIDC_TOKEN: await named.cluster.mint(),
    HOME: job.folder,
    SSL_CERT_FILE: named.cluster.info.webCa,
    HTTPS_PROXY: `127.0.0.1:${portOf(proxy.address())}`,
  };
  const modules = await evaluated([...job.flags, '--no-export'], environment);
  assert.deepEqual(modules.filter(isForProxies).sort(), [
    'src/net/egress-failure.ts',
    'src/net/egress-tunnel.ts',
    'src/net/http-connect.ts',
  ]);
});

function portOf(address: AddressInfo | string | null): number {
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}
