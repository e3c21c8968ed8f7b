import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunFlags } from '../../src/config/settings.ts';
import type { TunnelFlags } from '../../src/config/source.ts';
import { faultsOf, planOf, v2 } from './plan-of.ts';

const NEEDED: RunFlags = { proxyServer: 'proxy.example.com:443', token: 'ci' };
const DATABASE: RunFlags = { ...NEEDED, database: 'orders', databaseUser: 'ci', databaseName: 'shop' };

test('flags request a tunnel to a database or an application, at a free port of this machine', async () => {
  const { outputs, tunnels } = await planOf(undefined, {
    flags: { ...DATABASE, application: 'dashboard' },
    tunnelFlags: {},
  });
  const listen = { kind: 'tcp', host: '127.0.0.1', port: 0 };
  const common = { name: undefined, roles: [], lifetime: undefined, ttlMs: 3_600_000, renewalIntervalMs: 1_200_000 };
  assert.deepEqual(outputs, []);
  assert.deepEqual(tunnels, [
    {
      ...common,
      type: 'database-tunnel',
      listen,
      service: 'orders',
      database: 'shop',
      username: 'ci',
      path: '--database',
      line: undefined,
    },
    {
      ...common,
      type: 'application-tunnel',
      listen,
      appName: 'dashboard',
      path: '--application',
      line: undefined,
    },
  ]);
});

test('one tunnel of flags can have a name and an address', async () => {
  const { tunnels } = await planOf(undefined, {
    flags: DATABASE,
    tunnelFlags: { listen: 'unix:///run/orders', name: 'shop' },
  });
  assert.deepEqual(
    tunnels.map((tunnel) => [tunnel.name, 'listen' in tunnel && tunnel.listen]),
    [['shop', { kind: 'unix', path: '/run/orders' }]],
  );
});

test('a tunnel of flags that has files writes them to the destination', async () => {
  const flags: RunFlags = { ...NEEDED, kubernetesCluster: 'prod', destination: '/run/mux' };
  const { tunnels } = await planOf(undefined, { flags, tunnelFlags: { sshMultiplexer: true } });
  assert.deepEqual(
    tunnels.map((tunnel) => [
      tunnel.type,
      'destination' in tunnel ? tunnel.destination.path : 'kubeconfig' in tunnel && tunnel.kubeconfig,
    ]),
    [
      ['kubernetes-tunnel', '/run/mux/kubeconfig.yaml'],
      ['ssh-multiplexer', '/run/mux'],
    ],
  );
});

test('the tunnel of flags replaces those of the file', async () => {
  const file = v2('services: [{type: application-tunnel, listen: "tcp://localhost:1", app_name: a}]');
  const { tunnels, warnings } = await planOf(file, { flags: { application: 'dashboard' }, tunnelFlags: {} });
  assert.deepEqual(
    tunnels.map((tunnel) => 'appName' in tunnel && tunnel.appName),
    ['dashboard'],
  );
  assert.deepEqual(warnings, ['--application replaces services (tbot.yaml line 4)']);
});

const REFUSED: readonly (readonly [what: string, flags: RunFlags, own: TunnelFlags, faults: readonly string[]])[] = [
  [
    'no tunnel at all',
    NEEDED,
    {},
    [
      '--database: no tunnel to open: give --database NAME or --application NAME, or a file with a tunnel under "services"',
    ],
  ],
  [
    'a database without user and name',
    { ...NEEDED, database: 'orders' },
    {},
    [
      '--database-user: is missing: the user to log in as',
      '--database-name: is missing: the name of the database on that server, any name where it has none',
    ],
  ],
  [
    'the name of a database without the database',
    { ...NEEDED, databaseName: 'shop' },
    {},
    ['--database-name: needs --database NAME, the name of the database in Teleport'],
  ],
  [
    'one address for two tunnels',
    { ...DATABASE, application: 'dashboard' },
    { listen: 'tcp://localhost:1' },
    [
      '--listen: is for one tunnel, but --database and --application request two: use a file, or call the command twice',
    ],
  ],
  [
    'a name without a tunnel, which is also invalid',
    NEEDED,
    { name: 'a b' },
    [
      '--name: needs a flag that requests a tunnel, such as --database NAME: a file has this setting itself',
      '--name: invalid name: "a b"; use only letters, digits, "-", "_" and "+"',
    ],
  ],
  [
    'a multiplexer without a folder, at an address',
    NEEDED,
    { sshMultiplexer: true, listen: 'tcp://localhost:1' },
    [
      '--listen: is not for --ssh-multiplexer, whose sockets are in --destination',
      '--destination: --ssh-multiplexer needs --destination DIR, the folder for its ssh_config and sockets',
    ],
  ],
  [
    'a folder for a tunnel without files',
    { ...DATABASE, destination: '/run/mux' },
    {},
    [
      '--destination: is for --ssh-multiplexer and --kubernetes-cluster: other tunnels write no files, and a file has this setting itself',
    ],
  ],
  [
    'an address without a scheme',
    DATABASE,
    { listen: 'localhost:1' },
    ['--listen: "localhost:1" is not an address to listen at; expected tcp://localhost:1'],
  ],
];

for (const [what, flags, tunnelFlags, faults] of REFUSED) {
  test(`the command tunnel refuses ${what}`, async () => {
    assert.deepEqual(await faultsOf(undefined, { flags, tunnelFlags }), faults);
  });
}
