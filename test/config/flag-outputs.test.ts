import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunFlags } from '../../src/config/settings.ts';
import { faultsOf, planOf } from './plan-of.ts';

const NEEDED: RunFlags = { proxyServer: 'proxy.example.com:443', token: 'ci' };

/** Type, place and folder of each output that the flags ask for. */
async function asked(flags: RunFlags): Promise<readonly string[]> {
  const { outputs } = await planOf(undefined, { flags: { ...NEEDED, ...flags } });
  return outputs.map((output) => {
    const destination = 'destination' in output ? output.destination : undefined;
    const place = destination?.type === 'directory' ? destination.path : destination?.type;
    return `${output.type} ${output.path} ${String(place)}`;
  });
}

const cases: readonly (readonly [what: string, flags: RunFlags, outputs: readonly string[]])[] = [
  ['a destination alone holds an identity', { destination: '/d' }, ['identity --destination /d']],
  ['--ssh alone asks for the same', { destination: '/d', ssh: true }, ['identity --ssh /d']],
  [
    'a Kubernetes cluster has a folder of its own, and no identity comes with it',
    { destination: '/d', kubernetesCluster: 'dev' },
    ['kubernetes --kubernetes-cluster /d/kubernetes'],
  ],
  [
    'everything at once has a folder each',
    { destination: 'd', ssh: true, kubernetesCluster: 'dev', database: 'orders', application: 'dashboard' },
    [
      'identity --ssh d',
      'kubernetes --kubernetes-cluster d/kubernetes',
      'database --database d/database',
      'application --application d/application',
    ],
  ],
  [
    'what is kept in memory needs no folders',
    { destination: 'memory:', application: 'dashboard', database: 'orders' },
    ['database --database memory', 'application --application memory'],
  ],
  [
    'empty flags ask for nothing',
    { destination: '/d', kubernetesCluster: '', database: '' },
    ['identity --destination /d'],
  ],
];

for (const [what, flags, outputs] of cases) {
  test(what, async () => {
    assert.deepEqual(await asked(flags), outputs);
  });
}

test('user and name of the database are those of the flags', async () => {
  const flags = { ...NEEDED, destination: '/d', database: 'orders', databaseUser: 'ci', databaseName: 'sales' };
  const [output] = (await planOf(undefined, { flags })).outputs;
  assert.ok(output?.type === 'database');
  assert.deepEqual([output.service, output.username, output.database], ['orders', 'ci', 'sales']);
});

for (const [flags, flag] of [
  [{ kubernetesCluster: 'dev' }, '--kubernetes-cluster'],
  [{ database: 'orders' }, '--database'],
  [{ application: 'dashboard' }, '--application'],
  [{ ssh: true }, '--ssh'],
] as const) {
  test(`${flag} without a destination is refused`, async () => {
    assert.deepEqual(await faultsOf(undefined, { flags: { ...NEEDED, ...flags } }), [
      `--destination: ${flag} needs --destination DIR, the folder to write to`,
    ]);
  });
}

test('user and name of a database that is not named are refused', async () => {
  const flags = { ...NEEDED, destination: '/d', databaseUser: 'ci', databaseName: 'sales' };
  assert.deepEqual(await faultsOf(undefined, { flags }), [
    '--database-user: needs --database NAME, the name of the database in Teleport',
    '--database-name: needs --database NAME, the name of the database in Teleport',
  ]);
});

test('the outputs of the flags replace those of a file', async () => {
  const text = `version: v2
outputs:
- {type: identity, destination: {type: directory, path: from-file}}
`;
  const plan = await planOf(text, { flags: { ...NEEDED, destination: '/d', kubernetesCluster: 'dev' } });
  assert.deepEqual(
    plan.outputs.map(({ type }) => type),
    ['kubernetes'],
  );
});
