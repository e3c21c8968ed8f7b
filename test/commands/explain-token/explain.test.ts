import assert from 'node:assert/strict';
import test from 'node:test';
import { explainToken, type JobFacts } from '../../../src/commands/explain-token/explain.ts';
import type { JoinToken } from '../../../src/commands/explain-token/resource.ts';

const ORGANIZATION = '11111111-2222-4333-8444-555555555555';

const TOKEN: JoinToken = {
  kind: 'token',
  line: 1,
  name: 'ci',
  expiresAtMs: undefined,
  joinMethod: 'circleci',
  roles: ['Bot'],
  botName: 'ci',
  organizationId: ORGANIZATION,
  rules: [{ line: 2, rule: { projectId: 'p', contextId: undefined } }],
};

const JOB: JobFacts = { source: 'MY_TOKEN', organizationId: ORGANIZATION, projectId: 'p', contextIds: [] };

test('the audience of a job is compared with the organization, as Teleport does', () => {
  for (const [audiences, authorizedParty, obstacle] of [
    [undefined, undefined, undefined],
    [[ORGANIZATION], undefined, undefined],
    [['other', ORGANIZATION], ORGANIZATION, undefined],
    [['other', ORGANIZATION], undefined, /^MY_TOKEN is for the audiences other, 1111.*Teleport 17 and later reject/],
    [['sigstore'], undefined, /^MY_TOKEN is for the audience sigstore, .*circleci run oidc get --claims/],
    [[], undefined, /^MY_TOKEN is for no audience/],
  ] as const) {
    const { allows, obstacles } = explainToken(TOKEN, { ...JOB, audiences, authorizedParty }, 0);
    assert.equal(allows, obstacle === undefined);
    if (obstacle !== undefined) assert.match(obstacles.join(), obstacle);
  }
});
