/**
 * The matrix of the Auth Service without a Proxy: what recognizes it, the state of its authorities, a real proxy of the
 * network, and the version. A run writes an identity; SSH and kubectl need a Proxy.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { z } from 'zod';
import { certificatePem } from '../cluster/crypto/x509.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { tlsCertificates } from '../cluster/data/authorities.ts';
import { ownAuthority } from '../cluster/world.ts';
import { AUTHORITY_FILES, IDENTITY_FILES } from '../output-files.ts';
import { missing } from '../programs.ts';
import { guarded } from './egress-jobs.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import {
  assertNothingAround,
  assertTargets,
  throughDante,
  throughSquid,
  throughTlsSquid,
  WITHOUT_PROXY,
  type Way,
} from './network-ways.ts';
import { type Case, pairwise } from './pairwise.ts';
import { printTable } from './result-table.ts';
import { resultOf } from './run-result.ts';

const Scene = z.object({
  trust: z.enum(['ca_pins', '--ca-pin', 'ca_path', '--ca-path', 'insecure']),
  authorities: z.enum(['stable', 'update_clients', 'update_servers', 'hsm']),
  egress: z.enum(['none', 'http', 'https', 'socks5']),
  /** The newest that has REST alone, both, gRPC registration alone, and the join service. */
  teleport: z.enum(['15.3.7', '17.7.1', '18.2.4', '19.0.0']),
});
type Scene = z.infer<typeof Scene>;

const { authorities, egress, teleport, trust } = Scene.shape;
const SCENES = pairwise({
  trust: trust.options,
  teleport: teleport.options,
  authorities: authorities.options,
  egress: egress.options,
}).map((one: Case) => Scene.parse(one));
const COLUMNS = ['trust', 'authorities', 'egress', 'teleport'] as const;

const skip = missing('squid', 'openssl', 'danted');

test('the Auth Service is joined without a Proxy', { skip, concurrency: 2 }, async (t) => {
  const startMs = performance.now();
  const [http, https, socks5] = await Promise.all([throughSquid(t), throughTlsSquid(t), throughDante(t)]);
  const ways = { none: WITHOUT_PROXY, http, https, socks5 };
  const directory = await directoryFor(t);
  for (const version of ['15.3.7', '19.0.0']) {
    await clusterIn(directory, t, { teleport: version, authOnly: true, rotation: 'init', hsm: true });
  }
  const results = new Map<Scene, string>();
  await Promise.all(
    SCENES.map((scene) =>
      t.test(Object.values(scene).join(', '), async (own) => {
        results.set(scene, 'FAILED');
        results.set(scene, await play(own, scene, { directory, way: ways[scene.egress] }));
      }),
    ),
  );
  const seconds = Math.round((performance.now() - startMs) / 1000);
  printTable(t, `the Auth Service without a Proxy: ${SCENES.length} scenes in ${seconds} s`, [
    [...COLUMNS, 'result'],
    ...SCENES.map((scene) => [...COLUMNS.map((column) => scene[column]), results.get(scene) ?? 'not run']),
  ]);
});

/** @returns what the table shows: how it was joined */
async function play(
  t: TestContext,
  scene: Scene,
  { directory, way }: { readonly directory: string; readonly way: Way },
): Promise<string> {
  const { authorities: state } = scene;
  const cluster = await clusterIn(directory, t, {
    teleport: scene.teleport,
    authOnly: true,
    ...(state === 'stable' ? {} : state === 'hsm' ? { hsm: true } : { rotation: state }),
  });
  const job = await beginJob(t, cluster);
  const port = Number(cluster.info.auth.split(':')[1]);
  const { file, flags } = await trustOf(scene, { cluster, job });
  const config = await job.addFile('tbot.yaml', configFor(cluster, job, [`${way.names.given}:${port}`, ...file]));
  const guard = await guarded(job);
  const proxyTrust = way.trusted === undefined ? {} : { SSL_CERT_FILE: await job.addFile('proxy.pem', way.trusted) };
  const run = await job.run(['run', '--config', config, '--json', ...flags], {
    environment: { ...way.environment, ...proxyTrust, ...guard.environment },
    ...(way.secrets === undefined ? {} : { secrets: way.secrets }),
  });
  const { bot, clusterVersion, joinPath, outputs } = resultOf(run);
  assert.deepEqual(
    [bot, clusterVersion, joinPath],
    ['ci', scene.teleport, scene.teleport === '19.0.0' ? 'join-service' : 'legacy'],
  );
  assert.deepEqual(
    outputs[0]?.files,
    [...AUTHORITY_FILES, ...IDENTITY_FILES].filter((name) => name !== '.write-test'),
  );
  const warns = run.stderr.includes('insecure: the certificate of the Auth Service is not verified');
  assert.equal(warns, scene.trust === 'insecure');
  const [session] = cluster.records.all.filter(({ kind }) => kind.endsWith('/GenerateUserCerts'));
  const byCluster = `${Buffer.from(cluster.info.cluster).toString('hex')}.teleport.cluster.local`;
  assert.deepEqual([session?.alpn, session?.serverName], [['h2'], byCluster]);
  const hosts = await readFile(join(job.destination, 'teleport-host-ca.crt'), 'utf8');
  assert.ok(hosts.startsWith(hostAuthorities(cluster)), hosts);
  const exported = await readFile(job.bashEnv, 'utf8');
  assert.match(exported, new RegExp(`TELEPORT_AUTH_SERVER='?${way.names.given}:${port}`));
  assert.doesNotMatch(exported, /TELEPORT_PROXY/);
  await assertNothingAround(way, guard);
  await assertTargets(way, { hosts: [way.names.given], ports: [port], atLeast: 2 });
  return `identity by ${joinPath}`;
}

/** Lines of the configuration after `auth_server`, and flags. */
async function trustOf(
  scene: Scene,
  { cluster, job }: { readonly cluster: Cluster; readonly job: Job },
): Promise<{ readonly file: readonly string[]; readonly flags: readonly string[] }> {
  const { caPins } = cluster.info;
  switch (scene.trust) {
    case 'ca_pins':
      return { file: [`  ca_pins: [${caPins.map((pin) => `'${pin}'`).join(', ')}]`], flags: [] };
    case '--ca-pin':
      return { file: [], flags: caPins.flatMap((pin) => ['--ca-pin', pin]) };
    case 'ca_path':
      await job.addFile('host.pem', hostAuthorities(cluster));
      return { file: ['  ca_path: host.pem'], flags: [] };
    case '--ca-path':
      return { file: [], flags: ['--ca-path', await job.addFile('host.pem', hostAuthorities(cluster))] };
    case 'insecure':
      return { file: ['insecure: true'], flags: [] };
  }
}

function configFor({ info }: Cluster, job: Job, [address = '', ...trusted]: readonly string[]): string {
  const lines = [
    'version: v2',
    `auth_server: ${address}`,
    'onboarding:',
    '  join_method: circleci',
    `  token: ${info.joinToken}`,
    ...trusted,
    'outputs:',
    '- type: identity',
    `  ssh_config: 'off'`,
    `  destination: {type: directory, path: '${job.destination}'}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** As "tctl auth export" prints them. */
function hostAuthorities({ world }: Cluster): string {
  return tlsCertificates(ownAuthority(world, 'host')).map(certificatePem).join('');
}
