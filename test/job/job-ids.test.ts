import assert from 'node:assert/strict';
import test from 'node:test';
import { createMask } from '../../src/effects/secret.ts';
import { findJobIds } from '../../src/job/job-ids.ts';

const NOTHING = {
  organization: undefined,
  project: undefined,
  contexts: [],
  vcsOrigin: undefined,
  issuer: undefined,
  repository: undefined,
  warnings: [],
};

function jwt(claims: Readonly<Record<string, unknown>>): string {
  const parts = [{ alg: 'RS256' }, { iss: 'i', aud: 'a', sub: 's', iat: 1, exp: 2, ...claims }];
  return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.c2ln`;
}

function found(environment: Readonly<Record<string, string>>, minted = '') {
  const result = { exitCode: minted === '' ? undefined : 0, stdout: minted, stderr: '' };
  const commands = { run: () => Promise.resolve(result) };
  return findJobIds({
    environment,
    commands,
    clock: { nowMs: () => 0, sleep: () => Promise.resolve() },
    mask: createMask(),
  });
}

const CLAIMS = {
  'oidc.circleci.com/org-id': 'o',
  'oidc.circleci.com/project-id': 'p',
  'oidc.circleci.com/context-ids': ['c1', 'c2'],
  'oidc.circleci.com/vcs-origin': 'github.com/example/app/',
};

test('outside a job there is nothing, and nothing to warn of', async () => {
  assert.deepEqual(await found({}), NOTHING);
  assert.deepEqual(await found({ CIRCLE_PROJECT_ID: '' }), NOTHING);
});

test('a token that has expired still says whose job it is', async () => {
  const source = 'CIRCLE_OIDC_TOKEN_V2';
  assert.deepEqual(await found({ CIRCLE_OIDC_TOKEN_V2: jwt(CLAIMS), CIRCLE_PROJECT_ID: 'other' }), {
    organization: { value: 'o', source },
    project: { value: 'p', source },
    contexts: [
      { value: 'c1', source },
      { value: 'c2', source },
    ],
    vcsOrigin: { value: 'github.com/example/app/', source },
    issuer: { value: 'i', source },
    repository: 'app',
    warnings: [],
  });
});

test('without the variable the agent of CircleCI is asked', async () => {
  const { project } = await found({ CIRCLE_ORGANIZATION_ID: 'o' }, jwt(CLAIMS));
  assert.deepEqual(project, { value: 'p', source: 'circleci-agent run oidc get' });
});

test('what the token does not say, variables do', async () => {
  const environment = { CIRCLE_ORGANIZATION_ID: 'o', CIRCLE_PROJECT_ID: 'p', CIRCLE_PROJECT_REPONAME: 'app' };
  assert.deepEqual(await found({ ...environment, CIRCLE_OIDC_TOKEN: jwt({}) }), {
    ...NOTHING,
    organization: { value: 'o', source: 'CIRCLE_ORGANIZATION_ID' },
    project: { value: 'p', source: 'CIRCLE_PROJECT_ID' },
    issuer: { value: 'i', source: 'CIRCLE_OIDC_TOKEN' },
    repository: 'app',
  });
});

test('a malformed token is reported without any part of it', async () => {
  const { warnings, ...rest } = await found({ CIRCLE_OIDC_TOKEN: 'secret-nonsense' });
  assert.deepEqual({ ...rest, warnings: [] }, NOTHING);
  assert.match(warnings.join(), /^CIRCLE_OIDC_TOKEN is not a CircleCI OIDC token/);
  assert.doesNotMatch(warnings.join(), /nonsense/);
});
