/** Tests each row of the table in docs/how-to/environments.md: its second column describes the job. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { JoinToken } from '../cluster/data/data.ts';
import type { MintOptions } from '../cluster/issuer/mint.ts';
import { textOf } from '../docs/documents.ts';
import { sections, tableRows } from '../docs/markdown.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';

const OTHER_ID = '99999999-8888-4777-8666-555555555555';
const NO_DIFFERENCE = 'no difference';
const NONE = 'none';

const cluster = await clusterForFile();
const { contextId, joinToken, projectId, proxy } = cluster.info;
const PROJECT_ALONE = addProjectAlone();

function addProjectAlone(): string {
  const { tokens } = cluster.resources;
  const usual: JoinToken | undefined = tokens.find(({ name }) => name === joinToken);
  assert.ok(usual !== undefined);
  const name = 'project-alone';
  tokens.push({ ...usual, name, allow: [{ projectId }] });
  return name;
}

interface Situation {
  readonly mint: MintOptions;
  /** `none` removes a variable. */
  readonly variables: ReadonlyMap<string, string>;
  readonly agentGivesToken: boolean;
}

/** The document's names for claims, or for properties of a claim. */
const CLAIMS: Readonly<Record<string, (value: string) => MintOptions>> = {
  'context-ids': (value) => ({ contexts: contexts(value) }),
  'project-id': (value) => ({ project: idOf(value) }),
  'org-id': (value) => ({ organization: idOf(value) }),
  'vcs-origin': (value) => (value === NONE ? { withoutVcs: true } : { vcsOrigin: value }),
  'vcs-ref': (value) => (value === NONE ? { withoutVcs: true } : { vcsRef: value }),
  'ssh-rerun': (value) => ({ sshRerun: value === 'true' }),
  iss: (issuer) => ({ issuer }),
  aud: (audience) => ({ audience }),
  exp: (value) => ({ expired: value === 'past' }),
  iat: (value) => ({ notYetValid: value === 'in an hour' }),
};

function contexts(value: string): readonly string[] {
  const known = new Map([
    [NONE, []],
    ['another', [OTHER_ID]],
    ["another and the rule's", [OTHER_ID, contextId]],
  ]);
  return known.get(value) ?? assert.fail(`contexts "${value}"`);
}

function idOf(value: string): string {
  assert.equal(value, 'another');
  return OTHER_ID;
}

function situationOf(cell: string): Situation {
  const parts = cell === NO_DIFFERENCE ? [] : cell.split(', ').map(pair);
  const variables = parts.filter(([name]) => /^[A-Z_0-9]+$/.test(name));
  const agent = parts.find(([name]) => name === 'agent');
  const claims = parts.filter((part) => !variables.includes(part) && part !== agent);
  const mints = claims.map(([name, value]) => CLAIMS[name]?.(value) ?? assert.fail(`no claim is called "${name}"`));
  assert.equal(agent?.[1] ?? 'gives a token', 'gives a token');
  return {
    mint: mints.reduce((all, one) => ({ ...all, ...one }), {}),
    variables: new Map(variables),
    agentGivesToken: agent !== undefined,
  };
}

function pair(part: string): readonly [string, string] {
  const [, name, value] = /^([\w-]+): (.+)$/.exec(part) ?? [];
  return name === undefined || value === undefined
    ? assert.fail(`"${part}" is no claim and no variable`)
    : [name, value];
}

async function valueOf(name: string, value: string): Promise<string | undefined> {
  if (value === NONE) return undefined;
  return name === 'CIRCLE_OIDC_TOKEN_V2' ? cluster.mint({ form: 'v2' }) : value;
}

async function outcomeOf(t: TestContext, cell: string, token: string): Promise<string> {
  const { agentGivesToken, mint, variables } = situationOf(cell);
  const job = await beginJob(t, cluster);
  if (agentGivesToken) await job.addProgram('circleci-agent', `echo '${await cluster.mint()}'`);
  const environment: Record<string, string | undefined> = { CIRCLE_OIDC_TOKEN: await cluster.mint(mint) };
  for (const [name, value] of variables) environment[name] = await valueOf(name, value);
  const args = ['run', '--proxy-server', proxy, '--token', token, '--destination', job.destination];
  const { exitCode, stderr } = await job.run(args, { environment });
  return exitCode === 0 ? 'joins' : (/^code: (\w+)$/m.exec(stderr)?.[1] ?? stderr);
}

const table = sections(textOf('docs/how-to/environments.md')).find(
  ({ heading }) => heading === "What the job's token says",
);
const rows = tableRows(table?.text ?? '').map(([situation = '', job = '', both = '', project = '']) => ({
  situation,
  job,
  both,
  project,
}));

/** Many rows describe the same job. */
const outcomes = new Map<string, Promise<readonly string[]>>();

function outcomesOf(t: TestContext, cell: string): Promise<readonly string[]> {
  const tried = outcomes.get(cell) ?? Promise.all([joinToken, PROJECT_ALONE].map((token) => outcomeOf(t, cell, token)));
  outcomes.set(cell, tried);
  return tried;
}

test('the table has a row for each common environment', () => {
  const told = rows.map(({ situation }) => situation).join('; ');
  for (const word of [
    /CircleCI server/,
    /Self-hosted runner/,
    /Fork/,
    /Rerun with SSH/,
    /Scheduled/,
    /API/,
    /Dynamic config/,
    /approval/,
    /GitLab/,
    /Bitbucket/,
    /GitHub App/,
    /Parallelism/,
    /Rerun from failed/,
    /Long job/,
    /container/,
  ]) {
    assert.match(told, word);
  }
});

for (const { both, job, project, situation } of rows) {
  test(`${situation}: ${both}; if the rule has only the project: ${project}`, async (t) => {
    assert.deepEqual(await outcomesOf(t, job), [both, project]);
  });
}

test('doctor warns about forks and reruns with SSH, as the page says', async (t) => {
  const job = await beginJob(t, cluster);
  const { stdout } = await job.run(
    ['doctor', '--proxy-server', proxy, '--token', joinToken, '--destination', job.destination],
    { environment: { CIRCLE_OIDC_TOKEN: await cluster.mint({ sshRerun: true, vcsRef: 'refs/heads/pull/17' }) } },
  );
  assert.match(stdout, /^warn {2}Rerun with SSH/m);
  assert.match(stdout, /^warn {2}Fork/m);
});

test('a container that has the token and no BASH_ENV joins without exports, as the page says', async (t) => {
  const job = await beginJob(t, cluster);
  const { exitCode, stderr } = await job.run([...job.flags, '--no-export'], {
    environment: { CIRCLECI: undefined, BASH_ENV: undefined },
  });
  assert.equal(exitCode, 0, stderr);
});
