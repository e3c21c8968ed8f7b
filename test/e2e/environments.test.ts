/** Each row of the table in docs/environments.md, tried. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { MintOptions } from '../cluster/mint.ts';
import { textOf } from '../docs/documents.ts';
import { sections, tableRows } from '../docs/markdown.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';

const OTHER_ID = '99999999-8888-4777-8666-555555555555';

interface Situation {
  readonly mint?: MintOptions;
  /** `undefined` takes a variable away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const cluster = await clusterForFile();
const { contextId, organizationId } = cluster.info;
const NO_TOKEN = { CIRCLE_OIDC_TOKEN: undefined };
const FORK = { CIRCLE_PR_NUMBER: '17', CIRCLE_PR_USERNAME: 'somebody' };

const SITUATIONS: Readonly<Record<string, Situation>> = {
  'CircleCI Cloud, a job with the context': {},
  'CircleCI Cloud, a job with several contexts': { mint: { contexts: [OTHER_ID, contextId] } },
  'CircleCI Cloud, a job without a context': { mint: { contexts: [] } },
  'Another project of the organization': { mint: { project: OTHER_ID } },
  'Another organization': { mint: { organization: OTHER_ID } },
  'Only CIRCLE_OIDC_TOKEN_V2 is handed on': {
    environment: { ...NO_TOKEN, CIRCLE_OIDC_TOKEN_V2: await cluster.mint({ form: 'v2' }) },
  },
  'CircleCI server': { mint: { issuer: `https://circleci.example.com/org/${organizationId}` } },
  'A token made with --root-issuer': { mint: { issuer: 'https://oidc.circleci.com' } },
  'A token made for another audience': { mint: { audience: 'sts.amazonaws.com' } },
  'Self-hosted runner': { environment: { CIRCLE_RUNNER_ID: 'runner-1' } },
  'Self-hosted runner whose temporary folder is noexec': { environment: NO_TOKEN },
  'Pull request from a fork, secrets not passed': { environment: { ...NO_TOKEN, ...FORK } },
  'Pull request from a fork, secrets passed': { mint: { vcsRef: 'refs/heads/pull/17' }, environment: FORK },
  'Rerun with SSH': { mint: { sshRerun: true } },
  'Rerun with SSH, the context withheld from such jobs': { mint: { sshRerun: true, contexts: [] } },
  'Scheduled pipeline': {},
  'Pipeline triggered by the API': {},
  'Pipeline triggered by a custom webhook': { mint: { withoutVcs: true } },
  'Dynamic config, in the setup and in the continuation': {},
  'A tag or any branch': { mint: { vcsRef: 'refs/tags/v1.0.0' } },
  "A step after the token's time": { mint: { expired: true } },
  'A runner whose clock is far behind': { mint: { notYetValid: true } },
  'circleci local execute, or a machine of your own': { environment: { ...NO_TOKEN, CIRCLECI: undefined } },
};

const table = sections(textOf('docs/environments.md')).find(({ heading }) => heading === "What the job's token says");
const rows = tableRows(table?.text ?? '').map(([situation = '', , outcome = '']) => ({ situation, outcome }));

test('the table has a row for each situation that is tried, and for nothing else', () => {
  assert.deepEqual(rows.map(({ situation }) => situation).sort(), Object.keys(SITUATIONS).sort());
});

for (const { outcome, situation } of rows) {
  test(`${situation}: ${outcome}`, async (t) => {
    const { environment, mint } = SITUATIONS[situation] ?? {};
    const job = await beginJob(t, cluster);
    const { exitCode, stderr } = await job.run(job.flags, {
      environment: { CIRCLE_OIDC_TOKEN: await cluster.mint(mint), ...environment },
    });
    const ended = exitCode === 0 ? 'joins' : (/^code: (\w+)$/m.exec(stderr)?.[1] ?? stderr);
    assert.equal(ended, outcome, stderr);
  });
}

test('doctor warns of forks and of reruns with SSH, as the page says', async (t) => {
  const job = await beginJob(t, cluster);
  const { proxy, joinToken } = cluster.info;
  const { stdout } = await job.run(
    ['doctor', '--proxy-server', proxy, '--token', joinToken, '--destination', job.destination],
    { environment: { CIRCLE_OIDC_TOKEN: await cluster.mint({ sshRerun: true, vcsRef: 'refs/heads/pull/17' }) } },
  );
  assert.match(stdout, /^warn {2}Rerun with SSH/m);
  assert.match(stdout, /^warn {2}Fork/m);
});
