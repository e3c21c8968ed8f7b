import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { accessRequest, callAuth, generateUserCerts } from './raw-auth.ts';
import { joinByService, joinLegacy, type RawBot } from './raw-bot.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { createKey, keyPem } from '../crypto/keys.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const Named = z.object({ metadata: z.object({ name: z.string() }) });
const Answer = z.object({
  resources: z.array(
    z.object({
      node: z.object({ spec: z.object({ hostname: z.string() }) }).optional(),
      database_server: z.object({ spec: z.object({ database: Named }) }).optional(),
      app_server: z.object({ spec: z.object({ app: Named }) }).optional(),
      kubernetes_server: z.object({ spec: z.object({ cluster: Named }) }).optional(),
      logins: z.array(z.string()),
    }),
  ),
  next_key: z.string(),
});

const BY_NAME = { sort_by: { field: 'name', is_desc: false } };

describe('ListUnifiedResources', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  let access: RawBot;
  let deployer: RawBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
    [access, deployer] = await Promise.all([withRole('access'), withRole('deployer')]);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const withRole = async (role: string): Promise<RawBot> => {
    const key = await createKey('ec');
    const { tls } = await generateUserCerts(cluster, bot, { ...accessRequest(key), role_requests: [role] });
    return { ...bot, cert: tls.toString(), key: keyPem(key) };
  };
  const list = async (caller: RawBot, request: object): Promise<z.infer<typeof Answer>> =>
    Answer.parse(await callAuth(cluster, caller, 'ListUnifiedResources', request));
  const names = ({ resources }: z.infer<typeof Answer>): string[] =>
    resources.map((one) => {
      const { app_server: app, database_server: database, kubernetes_server: kubernetes, node } = one;
      const contained = app?.spec.app ?? database?.spec.database ?? kubernetes?.spec.cluster;
      return contained?.metadata.name ?? node?.spec.hostname ?? '';
    });

  test('lists all kinds by name, each resource once, without those that the roles do not allow', async () => {
    const all = names(await list(access, BY_NAME));
    for (const name of ['dashboard', 'dev', 'orders', 'web-1']) {
      assert.equal(all.filter((one) => one === name).length, 1, name);
    }
    assert.equal(all.filter((one) => one === 'twin').length, 2);
    for (const name of ['payroll', 'salaries', 'backoffice', 'vault-1', 'leaf-1']) {
      assert.ok(!all.includes(name), name);
    }
    assert.deepEqual(all, all.toSorted());
    assert.deepEqual(names(await list(deployer, BY_NAME)), ['dev', 'twin', 'twin', 'web-2']);
    assert.deepEqual(names(await list(bot, BY_NAME)), []);
  });

  test('also sorts by kind, in both directions', async () => {
    const all = names(await list(access, BY_NAME));
    const descending = names(await list(access, { sort_by: { field: 'name', is_desc: true } }));
    assert.deepEqual(descending, all.toReversed());
    const byKind = names(await list(access, { sort_by: { field: 'kind', is_desc: false } }));
    assert.deepEqual([byKind[0], byKind.at(-1)], ['broker', 'web-2']);
  });

  for (const is_desc of [false, true]) {
    test(`the keys of pages lead to the next page, ${is_desc ? 'descending' : 'ascending'}`, async () => {
      const order = { sort_by: { field: 'name', is_desc } };
      const found: string[] = [];
      let startKey = '';
      do {
        const page = await list(access, { ...order, limit: 3, start_key: startKey });
        assert.ok(page.resources.length <= 3);
        found.push(...names(page));
        startKey = page.next_key;
      } while (startKey !== '');
      assert.deepEqual(found, names(await list(access, order)));
    });
  }

  test('filters by kind, labels, a predicate and keywords', async () => {
    const narrowed = async (request: object): Promise<string[]> =>
      names(await list(access, { ...BY_NAME, ...request }));
    assert.deepEqual(await narrowed({ kinds: ['app', 'node'] }), [
      'broker',
      'dashboard',
      'twin',
      'twin',
      'web-1',
      'web-2',
      'wiki-k8s-tools',
    ]);
    assert.deepEqual(await narrowed({ labels: { env: 'prod' }, kinds: ['node'] }), ['web-1']);
    assert.deepEqual(await narrowed({ predicate_expression: 'name == "web-1" || name == "orders"' }), [
      'orders',
      'web-1',
    ]);
    assert.deepEqual(await narrowed({ search_keywords: ['MYSQL'] }), ['inventory']);
    assert.deepEqual(await narrowed({ kinds: ['windows_desktop'] }), []);
    assert.deepEqual(await narrowed({ pinned_only: true }), []);
  });

  test('returns the logins of nodes on request', async () => {
    const { resources } = await list(access, { ...BY_NAME, kinds: ['node'], include_logins: true, limit: 1 });
    assert.deepEqual(resources[0]?.logins, ['root', 'ci']);
  });

  test('refuses another order', async () => {
    await assert.rejects(list(access, { sort_by: { field: 'age' } }), {
      code: status.UNIMPLEMENTED,
      details: 'getting sort tree\n\tsorting by age is not supported in unified resources',
    });
    assert.deepEqual(names(await list(access, {})), names(await list(access, BY_NAME)));
  });
});

test('before v18 ListUnifiedResources requires an order', async () => {
  await withCluster({ teleport: '17.5.0' }, async (cluster) => {
    const bot = await joinLegacy(cluster, { key: await createKey('ec') });
    await assert.rejects(callAuth(cluster, bot, 'ListUnifiedResources', {}), {
      code: status.INVALID_ARGUMENT,
      details: 'getting sort tree\n\tsort field is required',
    });
  });
});
