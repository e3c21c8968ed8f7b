import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { accessRequest, callAuth, generateUserCerts } from './bare-auth.ts';
import { joinByService, type BareBot } from './bare-bot.ts';
import { startCluster, type Cluster } from './cluster.ts';
import { createKey, keyPem } from './keys.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const Metadata = z.object({ name: z.string(), labels: z.record(z.string(), z.string()) });
const Named = z.object({ metadata: Metadata });
const Answer = z.object({
  resources: z.array(
    z.object({
      kubernetes_server: z.object({ spec: z.object({ cluster: Named }) }).optional(),
      database_server: z
        .object({ spec: z.object({ database: Named.extend({ spec: z.object({ protocol: z.string() }) }) }) })
        .optional(),
      app_server: z
        .object({ spec: z.object({ app: Named.extend({ spec: z.object({ public_addr: z.string() }) }) }) })
        .optional(),
    }),
  ),
  next_key: z.string(),
});

describe('ListResources', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: BareBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const withRoles = async (roles: readonly string[]): Promise<BareBot> => {
    const key = await createKey('ec');
    const { tls } = await generateUserCerts(cluster, bot, { ...accessRequest(key), role_requests: roles });
    return { ...bot, cert: tls.toString(), key: keyPem(key) };
  };
  const list = async (caller: BareBot, request: object): Promise<z.infer<typeof Answer>> =>
    Answer.parse(await callAuth(cluster, caller, 'ListResources', { namespace: 'default', limit: 100, ...request }));
  const kubernetesNames = async (caller: BareBot, request: object): Promise<string[]> => {
    const { resources } = await list(caller, { resource_type: 'kube_server', ...request });
    return resources.flatMap(({ kubernetes_server: server }) => server?.spec.cluster.metadata.name ?? []);
  };

  test('each agent of a resource is listed, and what the roles do not give is absent', async () => {
    const names = await kubernetesNames(await withRoles(['access']), {});
    assert.equal(names.filter((name) => name === 'dev').length, 2);
    assert.ok(names.includes('prod'));
    assert.ok(!names.includes('payroll'));
  });

  test('the roles of the caller decide: another role sees less, and the bot itself nothing', async () => {
    assert.deepEqual(await kubernetesNames(await withRoles(['deployer']), {}), ['dev', 'dev']);
    assert.deepEqual(await kubernetesNames(bot, {}), []);
  });

  test('labels and a predicate narrow the list down together', async () => {
    const caller = await withRoles(['access']);
    assert.deepEqual(await kubernetesNames(caller, { labels: { env: 'prod' } }), ['prod']);
    assert.deepEqual(await kubernetesNames(caller, { labels: { env: 'prod', region: 'us' } }), []);
    const predicate_expression = '(name == "staging") || (labels["teleport.internal/discovered-name"] == "staging")';
    assert.deepEqual(await kubernetesNames(caller, { predicate_expression }), [
      'staging-eks-eu-central-1-123456789012',
    ]);
  });

  test('pages hold no more than the limit and follow each other by their keys', async () => {
    const caller = await withRoles(['access']);
    const names: string[] = [];
    let startKey = '';
    do {
      const page = await list(caller, { resource_type: 'kube_server', limit: 2, start_key: startKey });
      assert.ok(page.resources.length <= 2);
      names.push(
        ...page.resources.flatMap(({ kubernetes_server: server }) => server?.spec.cluster.metadata.name ?? []),
      );
      startKey = page.next_key;
    } while (startKey !== '');
    assert.deepEqual(names.toSorted(), (await kubernetesNames(caller, {})).toSorted());
  });

  test('databases tell their protocol and applications their public address', async () => {
    const caller = await withRoles(['access']);
    const databases = await list(caller, { resource_type: 'db_server', predicate_expression: 'name == "inventory"' });
    assert.equal(databases.resources[0]?.database_server?.spec.database.spec.protocol, 'mysql');
    const apps = await list(caller, { resource_type: 'app_server', predicate_expression: 'name == "dashboard"' });
    assert.equal(apps.resources[0]?.app_server?.spec.app.spec.public_addr, 'dashboard.example.teleport.test');
  });

  for (const [what, request] of [
    ['no limit', { resource_type: 'kube_server', limit: 0 }],
    ['an unknown resource type', { resource_type: 'toaster' }],
    ['a predicate that does not parse', { resource_type: 'kube_server', predicate_expression: 'name ==' }],
  ] as const) {
    test(`${what} is refused`, async () => {
      await assert.rejects(list(bot, request), { code: status.INVALID_ARGUMENT });
    });
  }
});
