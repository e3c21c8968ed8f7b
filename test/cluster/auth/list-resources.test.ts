import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { accessRequest, callAuth, generateUserCerts } from './raw-auth.ts';
import { joinByService, type RawBot } from './raw-bot.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { createKey, keyPem } from '../crypto/keys.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const Metadata = z.object({
  name: z.string(),
  namespace: z.literal('default'),
  labels: z.record(z.string(), z.string()),
});
const Named = z.object({ metadata: Metadata });
const OnHost = { version: z.string(), hostname: z.string(), host_id: z.string() };
const Answer = z.object({
  resources: z.array(
    z.object({
      kubernetes_server: Named.extend({ spec: z.object({ ...OnHost, cluster: Named }) }).optional(),
      node: z
        .object({
          metadata: Metadata,
          spec: z.object({ hostname: z.string(), use_tunnel: z.boolean(), version: z.string() }),
        })
        .optional(),
      logins: z.array(z.string()),
      kube_cluster: Named.optional(),
      database_server: Named.extend({
        spec: z.object({ ...OnHost, database: Named.extend({ spec: z.object({ protocol: z.string() }) }) }),
      }).optional(),
      app_server: Named.extend({
        spec: z.object({ ...OnHost, app: Named.extend({ spec: z.object({ public_addr: z.string() }) }) }),
      }).optional(),
    }),
  ),
  next_key: z.string(),
  total_count: z.number(),
});

describe('ListResources', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const withRoles = async (roles: readonly string[]): Promise<RawBot> => {
    const key = await createKey('ec');
    const { tls } = await generateUserCerts(cluster, bot, { ...accessRequest(key), role_requests: roles });
    return { ...bot, cert: tls.toString(), key: keyPem(key) };
  };
  const list = async (caller: RawBot, request: object): Promise<z.infer<typeof Answer>> =>
    Answer.parse(await callAuth(cluster, caller, 'ListResources', { namespace: 'default', limit: 100, ...request }));
  const kubernetesNames = async (caller: RawBot, request: object): Promise<string[]> => {
    const { resources } = await list(caller, { resource_type: 'kube_server', ...request });
    return resources.flatMap(({ kubernetes_server: server }) => server?.spec.cluster.metadata.name ?? []);
  };

  test('each agent of a resource is listed, and resources that the roles do not allow are absent', async () => {
    const names = await kubernetesNames(await withRoles(['access']), {});
    assert.equal(names.filter((name) => name === 'dev').length, 2);
    assert.ok(names.includes('prod'));
    assert.ok(!names.includes('payroll'));
  });

  test("the caller's roles decide: another role sees less, and the bot itself sees nothing", async () => {
    assert.deepEqual(await kubernetesNames(await withRoles(['deployer']), {}), ['dev', 'dev']);
    assert.deepEqual(await kubernetesNames(bot, {}), []);
  });

  test('labels and a predicate can be combined', async () => {
    const caller = await withRoles(['access']);
    assert.deepEqual(await kubernetesNames(caller, { labels: { env: 'prod' } }), ['prod']);
    assert.deepEqual(await kubernetesNames(caller, { labels: { env: 'prod', region: 'us' } }), []);
    const predicate_expression = '(name == "staging") || (labels["teleport.internal/discovered-name"] == "staging")';
    assert.deepEqual(await kubernetesNames(caller, { predicate_expression }), [
      'staging-eks-eu-central-1-123456789012',
    ]);
  });

  test('pages contain at most the limit, and their keys lead to the next page', async () => {
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

  test('databases have their protocol and applications their public address', async () => {
    const caller = await withRoles(['access']);
    const databases = await list(caller, { resource_type: 'db_server', predicate_expression: 'name == "inventory"' });
    assert.equal(databases.resources[0]?.database_server?.spec.database.spec.protocol, 'mysql');
    const apps = await list(caller, { resource_type: 'app_server', predicate_expression: 'name == "dashboard"' });
    assert.equal(apps.resources[0]?.app_server?.spec.app.spec.public_addr, 'dashboard.example.teleport.test');
  });

  test('a server is named after its resource and has its host', async () => {
    const caller = await withRoles(['access']);
    for (const [type, name] of [
      ['db_server', 'orders'],
      ['app_server', 'dashboard'],
      ['kube_server', 'dev'],
    ] as const) {
      const { resources } = await list(caller, { resource_type: type, predicate_expression: `name == "${name}"` });
      const servers = resources.map((one) => one.database_server ?? one.app_server ?? one.kubernetes_server);
      assert.deepEqual(
        servers.map((server) => server?.metadata.name),
        [name, name],
      );
      assert.equal(new Set(servers.map((server) => server?.spec.host_id)).size, 2);
      assert.deepEqual(
        servers.map((server) => server?.spec.hostname),
        ['agent-1.example.internal', 'agent-2.example.internal'],
      );
      assert.equal(servers[0]?.spec.version, cluster.info.teleport);
    }
  });

  const databaseNames = async (caller: RawBot, request: object): Promise<string[]> => {
    const { resources } = await list(caller, { resource_type: 'db_server', ...request });
    return resources.flatMap(({ database_server: server }) => server?.metadata.name ?? []);
  };

  test('a list with a total contains each database once and counts those of all pages', async () => {
    const caller = await withRoles(['access']);
    const request = { resource_type: 'db_server', need_total_count: true, limit: 3 };
    const first = await list(caller, request);
    const all = new Set(await databaseNames(caller, {}));
    assert.equal(first.total_count, all.size);
    const names: string[] = [];
    for (let next: typeof first | undefined = first; next !== undefined;) {
      names.push(...next.resources.flatMap(({ database_server: server }) => server?.metadata.name ?? []));
      next = next.next_key === '' ? undefined : await list(caller, { ...request, start_key: next.next_key });
    }
    assert.deepEqual(names.toSorted(), [...all].toSorted());
    assert.equal((await list(caller, { resource_type: 'db_server' })).total_count, 0);
  });

  test('all search keywords must match, in any case and in any field', async () => {
    const caller = await withRoles(['access']);
    assert.deepEqual(await databaseNames(caller, { search_keywords: ['MySQL', 'inven'] }), ['inventory']);
    assert.deepEqual(await databaseNames(caller, { search_keywords: ['mysql', 'orders'] }), []);
    assert.deepEqual(await kubernetesNames(caller, { search_keywords: ['region', 'EU'] }), ['dev', 'prod', 'dev']);
  });

  test('a sorted list has the requested order', async () => {
    const caller = await withRoles(['access']);
    const names = await databaseNames(caller, { sort_by: { field: 'name', is_desc: false } });
    assert.deepEqual(names, names.toSorted());
    assert.ok(names.length > 3);
    assert.deepEqual(await databaseNames(caller, { sort_by: { field: 'name', is_desc: true } }), names.toReversed());
  });

  test('Kubernetes clusters can also be listed without their agents', async () => {
    const { resources, total_count: total } = await list(await withRoles(['deployer']), {
      resource_type: 'kube_cluster',
    });
    assert.deepEqual(
      resources.map(({ kube_cluster: one }) => one?.metadata.name),
      ['dev'],
    );
    assert.equal(total, 1);
  });

  const hostnames = async (caller: RawBot, request: object): Promise<string[]> => {
    const { resources } = await list(caller, { resource_type: 'node', ...request });
    return resources.flatMap(({ node }) => node?.spec.hostname ?? []);
  };

  test('nodes have their id as name and are filtered by host name; those of leaf clusters are not listed', async () => {
    const caller = await withRoles(['access']);
    const { resources } = await list(caller, { resource_type: 'node', limit: 2 });
    assert.match(resources[0]?.node?.metadata.name ?? '', /^[0-9a-f-]{36}$/);
    assert.deepEqual(
      resources.map(({ node }) => node?.spec),
      ['web-1', 'web-2'].map((hostname) => ({ hostname, use_tunnel: true, version: cluster.info.teleport })),
    );
    assert.deepEqual(await hostnames(caller, {}), ['web-1', 'web-2', 'twin', 'twin']);
    assert.deepEqual(await hostnames(await withRoles(['deployer']), {}), ['web-2', 'twin', 'twin']);
  });

  test('the name in a predicate is the host name of a node, which can also be used to search and sort', async () => {
    const caller = await withRoles(['access']);
    assert.deepEqual(await hostnames(caller, { predicate_expression: 'name == "web-2"' }), ['web-2']);
    assert.deepEqual(await hostnames(caller, { search_keywords: ['WEB', 'tunnel'] }), ['web-1', 'web-2']);
    const descending = { sort_by: { field: 'hostname', is_desc: true } };
    assert.deepEqual(await hostnames(caller, descending), ['web-2', 'web-1', 'twin', 'twin']);
  });

  test('a node has logins if they are requested: those of the roles with access to it', async () => {
    const caller = await withRoles(['access', 'deployer']);
    const loginsOf = async (request: object): Promise<readonly string[][]> =>
      (await list(caller, { resource_type: 'node', limit: 2, ...request })).resources.map(({ logins }) => logins);
    assert.deepEqual(await loginsOf({}), [[], []]);
    assert.deepEqual(await loginsOf({ include_logins: true }), [
      ['root', 'ci'],
      ['root', 'ci', 'deploy'],
    ]);
  });

  test('without a limit, everything is listed', async () => {
    const caller = await withRoles(['access']);
    assert.deepEqual(await kubernetesNames(caller, { limit: 0 }), await kubernetesNames(caller, {}));
  });

  for (const [what, request, code, details] of [
    [
      'a negative limit',
      { resource_type: 'kube_server', limit: -1 },
      status.INVALID_ARGUMENT,
      /^negative parameter limit$/,
    ],
    [
      'an unknown resource type',
      { resource_type: 'toaster' },
      status.UNIMPLEMENTED,
      /^toaster not implemented at ListResources$/,
    ],
    [
      'a field that a type is not sorted by',
      { resource_type: 'db_server', sort_by: { field: 'color' } },
      status.UNIMPLEMENTED,
      /^sorting by field "color" for resource "db_server" is not supported$/,
    ],
    [
      'a predicate that does not parse',
      { resource_type: 'kube_server', predicate_expression: 'name ==' },
      status.INVALID_ARGUMENT,
      /predicate expression/,
    ],
  ] as const) {
    test(`${what} is refused`, async () => {
      await assert.rejects(list(bot, request), { code, details });
    });
  }
});
