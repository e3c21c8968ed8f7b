import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { appendExports, bashEnvPath, exportLines } from '../../src/job/bash-env.ts';

const ODD_VALUES = [
  '/home/circleci/machine id',
  "it's",
  '$(touch /tmp/never) `id` $HOME "quoted" \\ back',
  'two\nlines',
  '-n',
  'ümläut ✓',
  '',
];

for (const value of ODD_VALUES) {
  test(`bash reads back ${JSON.stringify(value)} unchanged`, () => {
    const script = `${exportLines(new Map([['MACHINE_ID_DESTINATION', value]]))}printf %s "$MACHINE_ID_DESTINATION"`;
    assert.equal(execFileSync('bash', ['-c', script], { encoding: 'utf8' }), value);
  });
}

test('lines are set apart from a file that does not end with a line break', () => {
  const before = 'export OTHER=1';
  const script = `${before}${exportLines(new Map([['NAME', 'value']]))}printf %s "$OTHER$NAME"`;
  assert.equal(execFileSync('bash', ['-c', script], { encoding: 'utf8' }), '1value');
});

test('a job without BASH_ENV is told so', () => {
  for (const environment of [{}, { BASH_ENV: '' }]) {
    assert.throws(() => bashEnvPath(environment), { code: 'BASH_ENV_UNWRITABLE' });
  }
  assert.equal(bashEnvPath({ BASH_ENV: '/tmp/env' }), '/tmp/env');
});

test('a file that cannot be appended to ends with the reason as the cause', async () => {
  const cause = new Error('read-only file system');
  const files = { appendText: () => Promise.reject(cause) };
  await assert.rejects(appendExports(files, '/tmp/env', new Map()), { code: 'BASH_ENV_UNWRITABLE', cause });
});
