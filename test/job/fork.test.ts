import assert from 'node:assert/strict';
import test from 'node:test';
import { forkSign } from '../../src/job/fork.ts';

const OWN = { vcsOrigin: 'github.com/Example/app', vcsRef: 'refs/heads/main' };
const PROJECT = { CIRCLE_PROJECT_USERNAME: 'example', CIRCLE_PROJECT_REPONAME: 'app' };

test('a job of the own repository shows no sign of a fork', () => {
  for (const claims of [undefined, OWN, { vcsOrigin: undefined, vcsRef: undefined }]) {
    assert.equal(forkSign(claims, PROJECT), undefined);
  }
  assert.equal(forkSign({ ...OWN, vcsOrigin: 'gitlab.com/group/sub/app' }, PROJECT), undefined);
  for (const project of [undefined, 'Example Ltd', '11111111-2222-3333-4444-555555555555']) {
    assert.equal(forkSign(OWN, { CIRCLE_PROJECT_USERNAME: project }), undefined);
  }
});

test("a fork is known by CircleCI's variables, by the ref, or by the owner of the origin", () => {
  const rows = [
    [OWN, { CIRCLE_PR_USERNAME: 'mallory', CIRCLE_PR_NUMBER: '7' }, 'CIRCLE_PR_USERNAME is mallory'],
    [OWN, { CIRCLE_PR_NUMBER: '7' }, 'CIRCLE_PR_NUMBER is 7'],
    [{ ...OWN, vcsRef: 'refs/heads/pull/7' }, PROJECT, 'the claim vcs-ref is refs/heads/pull/7'],
    [
      { ...OWN, vcsOrigin: 'github.com/mallory/app' },
      PROJECT,
      'the claim vcs-origin is github.com/mallory/app, and the project belongs to example',
    ],
  ] as const;
  for (const [claims, environment, sign] of rows) assert.equal(forkSign(claims, environment), sign);
});
