import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { packageVersion } from '../../scripts/release/package-version.ts';
import { readResults } from '../../scripts/conformance/results.ts';
import { commandOf, FOLDERS, IN_NO_ROW, matches, ROWS } from '../../scripts/conformance/rows.ts';
import { testFilesOf } from '../../scripts/conformance/run-row.ts';
import { textOf } from './documents.ts';

const version = await packageVersion();
const patterns = ROWS.flatMap((row) => (row.kind === 'tests' ? row.files : []));

test('a pattern matches whole paths, and nothing in another folder', () => {
  assert.ok(matches('test/e2e/ssh-*.test.ts', 'test/e2e/ssh-host.test.ts'));
  assert.ok(!matches('test/e2e/ssh-*.test.ts', 'test/e2e/ssh-more/host.test.ts'));
  assert.ok(!matches('test/e2e/ssh.test.ts', 'test/e2e/sshd.test.ts'));
  assert.ok(!matches('test/e2e/ssh.test.ts', 'test/e2e/ssh-test.ts'));
});

test('each test with the bundle, random input or a public suite belongs to one row, or is listed as in none', () => {
  const wrong = testFilesOf(FOLDERS.map((folder) => `${folder}/*.test.ts`)).flatMap((path) => {
    const found = [...patterns, ...IN_NO_ROW].filter((pattern) => matches(pattern, path));
    return found.length === 1 ? [] : [`${path}: ${found.length === 0 ? 'in no row' : found.join(' and ')}`];
  });
  assert.deepEqual(wrong, [], 'scripts/conformance/rows.ts');
});

test('every row has tests or a command that exists', () => {
  assert.equal(new Set(ROWS.map(({ id }) => id)).size, ROWS.length);
  const benches = [...readFileSync('bench/run.ts', 'utf8').matchAll(/^ {2}\['([a-z-]+)', measure/gm)].map(
    ([, name]) => name,
  );
  assert.ok(benches.length >= 5);
  for (const row of ROWS) {
    if (row.kind === 'tests') assert.ok(testFilesOf(row.files).length > 0, row.id);
    if (row.kind === 'bench' && row.bench !== '') assert.ok(benches.includes(row.bench), row.bench);
  }
});

test('each path and each pattern is that of a file', () => {
  assert.deepEqual(
    [...patterns, ...IN_NO_ROW].filter((pattern) => testFilesOf([pattern]).length === 0),
    [],
  );
});

test('the page has each row with its result and the command that repeats it', async () => {
  const page = textOf(`docs/conformance/${version}.md`);
  const results = await readResults(version);
  assert.equal(results.version, version);
  assert.deepEqual(
    Object.keys(results.rows).filter((id) => !ROWS.some((row) => row.id === id)),
    [],
  );
  for (const row of ROWS) {
    const line = page.split('\n').find((text) => text.startsWith(`| ${row.id} `));
    assert.ok(line !== undefined, row.id);
    assert.ok(line.includes(`\`${commandOf(row)}\``), row.id);
    const { commit } = results.rows[row.id] ?? { commit: 'not run yet' };
    assert.ok(line.includes(commit), row.id);
  }
});

test('a failed test is on the page by its name', async () => {
  const page = textOf(`docs/conformance/${version}.md`).replaceAll(/\s+/g, ' ');
  const { rows } = await readResults(version);
  for (const [id, { tests }] of Object.entries(rows)) {
    for (const name of tests?.failures ?? []) assert.ok(page.includes(id) && page.includes(name.slice(0, 20)), name);
  }
});
