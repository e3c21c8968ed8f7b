import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import type { RequestKind } from '../cluster/records.ts';
import { AUTHORITY_FILES, IDENTITY_FILES } from '../output-files.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob } from './job.ts';
import { VERSIONS, type VersionFacts } from './profiles.ts';
import { resultOf } from './run-result.ts';

const FILES = [
  ...AUTHORITY_FILES,
  ...IDENTITY_FILES,
  'known_hosts',
  'example.teleport.test.ssh_config',
  'example.teleport.test.known_hosts',
  'leaf.example.com.ssh_config',
  'leaf.example.com.known_hosts',
  'ssh_config',
];

const AUTHORITIES = 'rpc:/teleport.trust.v1.TrustService/GetCertAuthorities';

const HEARTBEAT = 'rpc:/teleport.machineid.v1.BotInstanceService/SubmitHeartbeat';

/** Bots have instances from 16 on. */
function lastRequest({ teleport }: VersionFacts): RequestKind {
  return teleport === '15.3.7' ? 'rpc:/proto.AuthService/GenerateUserCerts' : HEARTBEAT;
}

function expectedRequests({ joinPath, fallsBack, ...facts }: VersionFacts): RequestKind[] {
  return [
    'ping',
    ...(joinPath === 'join-service' || fallsBack ? (['join-service'] as const) : []),
    ...(joinPath === 'legacy' ? (['legacy-join'] as const) : []),
    'rpc:/proto.AuthService/Ping',
    AUTHORITIES,
    AUTHORITIES,
    AUTHORITIES,
    'rpc:/proto.AuthService/GetRole',
    ...new Set(['rpc:/proto.AuthService/GenerateUserCerts' as const, lastRequest({ joinPath, fallsBack, ...facts })]),
  ];
}

/** Parallel requests can arrive in any order; a request that needs a response first cannot. */
function assertOrder(cluster: Cluster, facts: VersionFacts): void {
  const kinds = cluster.records.kinds;
  assert.deepEqual([...kinds].sort(), expectedRequests(facts).sort());
  const join = kinds.indexOf(facts.joinPath === 'legacy' ? 'legacy-join' : 'join-service');
  const firstCall = kinds.findIndex((kind) => kind.startsWith('rpc:'));
  assert.ok(join < firstCall, 'the join comes before every call of the bot');
  if (facts.joinPath === 'legacy') assert.ok(kinds.indexOf('ping') < join, 'a legacy join needs the discovery');
  assert.equal(kinds.at(-1), lastRequest(facts));
}

/** Versions with the same key types share their authorities, which take long to generate. */
const authorities = await directoryFor({ after });

for (const facts of VERSIONS) {
  test(`Teleport ${facts.teleport}`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport: facts.teleport });
    const job = await beginJob(t, cluster);
    const run = await job.run([...job.flags, '--json'], { asProcess: true });

    await t.test('flags are enough to join the cluster and write a complete identity output', async () => {
      const result = resultOf(run);
      assert.equal(result.joinPath, facts.joinPath);
      assert.equal(result.clusterVersion, facts.teleport);
      assert.deepEqual(
        result.outputs.map(({ destination, files, roles }) => ({ destination, files, roles })),
        [{ destination: job.destination, files: FILES, roles: ['access', 'deployer'] }],
      );
      const found = await listing(job.destination);
      assert.equal(found.get('.'), '0700 directory');
      assert.deepEqual([...found.keys()].sort(), ['.', '.write-test', ...FILES].sort());
      for (const name of FILES) assert.match(found.get(name) ?? '', /^0600 /, `${name} is for its owner alone`);
    });

    await t.test('the cluster gets only the necessary requests, in order', () => {
      assertOrder(cluster, facts);
      const [asked] = cluster.records.of('rpc:/proto.AuthService/GenerateUserCerts');
      assert.equal(asked?.outcome, 'ok');
      assert.deepEqual(asked.fields.keys, facts.keyFields);
      assert.deepEqual(asked.fields.roles, ['access', 'deployer']);
      assert.equal(asked.fields.userName, 'bot-ci');
      assert.equal(asked.fields.useRoleRequests, true);
      assert.equal(asked.fields.routeToCluster, cluster.info.cluster);
      assert.deepEqual(
        cluster.records.of(AUTHORITIES).map(({ fields }) => fields),
        ['host', 'user', 'db'].map((type) => ({ type, include_key: false })),
      );
    });

    await t.test(
      'the identity file contains key, certificates and authorities in the order that Teleport reads',
      async () => {
        const read = (...names: readonly string[]) =>
          Promise.all(names.map((name) => readFile(join(job.destination, name), 'utf8'))).then((texts) =>
            texts.join(''),
          );
        const head = await read('key', 'key-cert.pub', 'tlscert');
        const identity = await read('identity');
        assert.equal(identity.slice(0, head.length), head);
        const rest = identity.slice(head.length);
        assert.match(
          rest,
          /^@cert-authority example\.teleport\.test,\*\.example\.teleport\.test ssh-\S+ \S+ type=host\n/,
        );
        assert.ok(rest.endsWith(await read('teleport-host-ca.crt')), 'the TLS authorities come last');
      },
    );

    await t.test(
      'the tbot.yaml of the CircleCI guide joins, and writes nothing while its outputs are empty',
      async () => {
        const guide = await beginJob(t, cluster);
        await guide.addFile('tbot.yaml', guideFile(cluster));
        const result = resultOf(await guide.run(['run', '-c', 'tbot.yaml', '--json']));
        assert.equal(result.joinPath, facts.joinPath);
        assert.deepEqual(result.outputs, []);
        assert.deepEqual([...(await listing(guide.checkout)).keys()], ['.', 'tbot.yaml']);
        assert.equal(cluster.records.of('rpc:/proto.AuthService/GenerateUserCerts').length, 0);
      },
    );
  });
}

function guideFile({ info }: Cluster): string {
  return `version: v2
proxy_server: ${info.proxy}
onboarding:
  join_method: circleci
  token: ${info.joinToken}
oneshot: true
storage:
  type: memory
# filled in by one of the access guides
outputs: []
`;
}
