import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkAnswers, findProblems } from '../../../src/commands/init/check-answers.ts';
import type { FieldName } from '../../../src/commands/init/fields.ts';
import { MachineIdError } from '../../../src/errors.ts';
import { answersOf, CONTEXT, PROJECT, setupOf } from './setup-of.ts';

const WRONG: readonly (readonly [name: FieldName, text: string, says: RegExp])[] = [
  ['proxy', 'https://example.com', /without a scheme; write example\.com:443/],
  ['organizationId', 'example', /is not an ID such as/],
  ['projectId', `${PROJECT}0`, /is not an ID such as/],
  ['contextId', 'teleport', /is not an ID such as/],
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
  assert.equal(setup.contextId, undefined);
  assert.match(warnings.join(), /every job of the project can become the bot/);
  assert.deepEqual((await checkAnswers(answersOf({ contextId: CONTEXT }), [])).warnings, []);
});

test('a user without a database is rejected with the error of run', async () => {
  await assert.rejects(checkAnswers(answersOf({ databaseUser: 'ci' }), []), /--database-user: needs --database/);
});
