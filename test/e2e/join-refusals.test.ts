import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import type { MintOptions } from '../cluster/issuer/mint.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRunRefused, type Refusal } from './refusal.ts';

interface Case extends Refusal {
  readonly name: string;
  readonly mint?: MintOptions;
  readonly joinToken?: string;
}

const OTHER_ID = '99999999-8888-4777-8666-555555555555';

const CASES: readonly Case[] = [
  {
    name: 'a job of another project is told which rule would let it in',
    mint: { project: OTHER_ID },
    code: 'JOIN_CLAIMS_REFUSED',
    says: new RegExp(
      `join token "circleci-bot" of the cluster .* has no rule that allows this job: .*project ${OTHER_ID}`,
    ),
    hint: new RegExp(`project_id: ${OTHER_ID}`),
  },
  {
    name: 'a job in another context is told which context it ran in',
    mint: { contexts: [OTHER_ID] },
    code: 'JOIN_CLAIMS_REFUSED',
    says: new RegExp(`the context ${OTHER_ID}`),
    hint: new RegExp(`context_id: ${OTHER_ID}`),
  },
  {
    name: 'a job without a context is told that it has none',
    mint: { contexts: [] },
    code: 'JOIN_CLAIMS_REFUSED',
    says: /no context/,
    hint: /spec\.circleci\.allow/,
  },
  {
    name: 'an OIDC token for several audiences without an authorized party is refused by the cluster',
    mint: { audience: ['7a5f2d9e-5c0b-4f5e-9d0a-2f1b3c4d5e6f', 'https://example.com'] },
    code: 'JOIN_OIDC_REFUSED',
    says: /authorized party/,
  },
  {
    name: 'a job of another organization is refused by its issuer',
    mint: { organization: OTHER_ID },
    code: 'JOIN_OIDC_REFUSED',
    says: /issue/,
    hint: new RegExp(`organization_id of join token "circleci-bot" is ${OTHER_ID}`),
  },
  {
    name: 'a join token of another organization refuses the job',
    joinToken: 'other-organization',
    code: 'JOIN_OIDC_REFUSED',
    says: /issue/,
    hint: /organization_id of join token "other-organization"/,
  },
  {
    name: 'a join token that does not exist is named',
    joinToken: 'no-such-token',
    code: 'JOIN_TOKEN_UNKNOWN',
    says: /no valid join token "no-such-token"/,
    hint: /tctl tokens ls/,
  },
  {
    name: 'a join token that has expired looks like one that does not exist',
    joinToken: 'expired-token',
    code: 'JOIN_TOKEN_UNKNOWN',
    says: /no valid join token "expired-token"/,
  },
  {
    name: 'a join token that is not for bots is refused',
    joinToken: 'node-token',
    code: 'JOIN_METHOD_MISMATCH',
    says: /join token "node-token" .*is not for a bot/,
    hint: /spec\.roles: \[Bot\]/,
  },
];

const authorities = await directoryFor({ after });

for (const teleport of ['15.3.7', '18.6.0']) {
  test(`Teleport ${teleport}`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    for (const refused of CASES) {
      await t.test(refused.name, async (sub) => {
        await assertJoinRefused(sub, cluster, refused);
      });
    }
    await t.test('the cluster rejects a token that expired after the job checked it', async (sub) => {
      const job = await beginJob(sub, cluster);
      const token = await cluster.mint({ expired: true });
      const clock = { NODE_OPTIONS: `--require ${await job.addFile('clock.cjs', CLOCK_BEHIND)}` };
      await assertRunRefused(
        job,
        { code: 'JOIN_OIDC_REFUSED', says: /expired/, hint: /clocks agree/ },
        { changes: { environment: { CIRCLE_OIDC_TOKEN: token, ...clock } } },
      );
    });
  });
}

/** Makes the bundle believe that an expired token is still valid; the cluster's clock is right. */
const CLOCK_BEHIND = 'const now = Date.now; Date.now = () => now() - 300000;\n';

for (const [teleport, method, refusal] of [
  ['18.6.0', 'github', { code: 'JOIN_METHOD_MISMATCH', says: /github-bot.*only supports method github/ }],
  ['18.6.0', 'iam', { code: 'JOIN_METHOD_MISMATCH', says: /iam-bot.*only supports method iam/ }],
  ['18.2.4', 'github', { code: 'JOIN_METHOD_MISMATCH', says: /github-bot/ }],
  ['17.4.2', 'github', { code: 'JOIN_OIDC_REFUSED', says: /token\.actions\.githubusercontent\.com/ }],
  ['17.4.2', 'iam', { code: 'JOIN_METHOD_MISMATCH', says: /only valid for the iam join method/ }],
  ['15.3.7', 'github', { code: 'JOIN_OIDC_REFUSED', says: /token\.actions\.githubusercontent\.com/ }],
  ['15.3.7', 'iam', { code: 'JOIN_METHOD_MISMATCH', says: /only valid for the iam join method/ }],
] as const) {
  test(`Teleport ${teleport} rejects a join token with the method ${method}`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    await assertJoinRefused(t, cluster, { name: method, joinToken: `${method}-bot`, ...refusal });
  });
}

async function assertJoinRefused(t: test.TestContext, cluster: Cluster, refused: Case): Promise<void> {
  const job = await beginJob(t, cluster);
  const { proxy, joinToken } = cluster.info;
  const wanted = refused.joinToken ?? joinToken;
  const args = ['run', '--proxy-server', proxy, '--token', wanted, '--destination', job.destination];
  const environment = { CIRCLE_OIDC_TOKEN: await cluster.mint(refused.mint) };
  await assertRunRefused(job, refused, { args, changes: { environment } });
  const calls = cluster.records.kinds.filter((kind) => kind.startsWith('rpc:'));
  assert.deepEqual(calls, [], 'who is not joined has nobody to ask');
}
