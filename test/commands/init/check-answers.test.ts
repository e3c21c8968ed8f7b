import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkAnswers, findProblems } from '../../../src/commands/init/check-answers.ts';
import type { FieldName } from '../../../src/commands/init/fields.ts';
import { MachineIdError } from '../../../src/errors.ts';
import { answersOf, CONTEXT, ORGANIZATION, PROJECT, setupOf } from './setup-of.ts';

const WRONG: readonly (readonly [name: FieldName, text: string, says: RegExp])[] = [
  ['proxy', 'https://example.com', /without a scheme; write example\.com:443/],
  ['organizationId', 'example', /is not an ID such as/],
  ['projectId', `${PROJECT}0`, /is not an ID such as/],
  ['contextId', 'teleport', /is not an ID such as/],
  ['contextId', `${CONTEXT}, teleport`, /"teleport" is not an ID such as/],
  ['bot', '-bot', /no leading dash/],
  ['bot', 'my bot', /letters, digits/],
  ['token', '/etc/passwd', /letters, digits/],
  ['token', '..', /is not a valid name/],
  ['roles', ' , ', /contains no role/],
  ['roles', 'a,b c', /"b c" is not a valid name/],
  ['database', 'a\nb', /control characters/],
  ['application', 'a\u202eb', /control characters/],
  ['contextName', 'a\tb', /control characters/],
  ['destination', '~/identity', /"~\/" is not expanded here: write the absolute path/],
  ['destination', 'identity', /is not an absolute path/],
];

describe('an invalid answer is rejected', () => {
  for (const [name, text, says] of WRONG) {
    test(`${name}: ${JSON.stringify(text)}`, () => {
      const [problem, ...others] = findProblems(answersOf({ [name]: text }));
      assert.match(problem?.message ?? '', says);
      assert.equal(problem?.path, `--${name}`);
      assert.deepEqual(others, []);
    });
  }
});

test('missing answers, invalid answers and conflicts are reported together', async () => {
  const answers = {
    ...answersOf({ proxy: undefined, contextId: undefined, roles: undefined, bot: '-' }),
    contexts: ['a', 'b'],
  };
  const error: unknown = await checkAnswers(answers, [{ path: 'bot.yaml', message: 'is there' }]).catch(
    (e: unknown) => e,
  );
  assert.ok(error instanceof MachineIdError);
  assert.deepEqual([error.code, error.exitCode], ['USAGE_INVALID', 2]);
  const paths = error.problems.map(({ path }) => path);
  assert.deepEqual(paths, ['--proxy-server', '--context-id', '--bot', '--roles', 'bot.yaml']);
  assert.match(
    error.problems[1]?.message ?? '',
    /is missing \(this job has a and b\): see Organization Settings > Contexts/,
  );
});

test('IDs are written in lower case, as CircleCI writes them', async () => {
  assert.equal((await setupOf({ projectId: PROJECT.toUpperCase() })).projectId.text, PROJECT);
});

test('duplicate roles are written once', async () => {
  assert.deepEqual((await setupOf({ roles: 'a, b,,a' })).roles, ['a', 'b']);
});

test('a setup without a context is valid, with a warning', async () => {
  const { setup, warnings } = await checkAnswers({ ...answersOf({ contextId: undefined }), withoutContext: true }, []);
  assert.deepEqual(setup.contextIds, []);
  assert.match(warnings.join(), /every job of the project can become the bot/);
  assert.deepEqual((await checkAnswers(answersOf({ contextId: CONTEXT }), [])).warnings, []);
});

const GENERIC = { branches: 'main', vcsOrigin: 'github.com/example/app' };

for (const [name, text, says] of [
  ['branches', 'my branch', /"my branch" is not the name of a branch or tag/],
  ['tags', 'v*, ../x', /"\.\.\/x" is not the name/],
  ['vcsOrigin', 'https://github.com/example/app', /it has no scheme/],
  ['audience', 'a,b', /must be one audience/],
  ['issuer', 'https://circleci.example.com', /is not the issuer of an organization/],
] as const) {
  test(`an invalid answer for generic_oidc is rejected: ${name}`, () => {
    const [problem, ...others] = findProblems(answersOf({ ...GENERIC, [name]: text }));
    assert.match(problem?.message ?? '', says);
    assert.deepEqual(others, []);
  });
}

test('branches, tags and a CircleCI Server mean generic_oidc, and its rule has an audience and full names', async () => {
  const { generic } = await setupOf({ ...GENERIC, tags: 'v*, refs/tags/x' });
  assert.deepEqual(generic, {
    issuer: `https://oidc.circleci.com/org/${ORGANIZATION}`,
    audience: 'example.teleport.sh/circleci-app',
    refs: ['refs/heads/main', 'refs/tags/v*', 'refs/tags/x'],
    origin: { text: 'github.com/example/app', origin: '--vcsOrigin' },
    allowsSshRerun: false,
  });
  const issuer = `https://circleci.example.com/org/${ORGANIZATION}`;
  const server = await setupOf({ issuer, vcsOrigin: GENERIC.vcsOrigin, proxy: 'example.com:3080' });
  assert.deepEqual([server.generic?.issuer, server.generic?.audience], [issuer, 'example.com:3080/circleci-app']);
  assert.equal((await setupOf(GENERIC, { joinMethod: 'circleci' })).generic, undefined);
  assert.equal((await setupOf()).generic, undefined);
});

test('a rule without the repository is refused unless forks are allowed', async () => {
  const problems = findProblems(answersOf({ branches: 'main' }));
  assert.match(problems[0]?.message ?? '', /is missing: name the repository, .* or pass --allow-forks/);
  assert.equal((await setupOf({ branches: 'main' }, { allowsForks: true })).generic?.origin, undefined);
});

test('a Kubernetes object needs a name that Kubernetes accepts', () => {
  const problems = findProblems({ ...answersOf({ bot: 'My_Bot' }), form: 'operator' });
  assert.match(problems[0]?.message ?? '', /"My_Bot" is not the name of a Kubernetes object/);
});

test('a user without a database is rejected with the error of run', async () => {
  await assert.rejects(checkAnswers(answersOf({ databaseUser: 'ci' }), []), /--database-user: needs --database/);
});
