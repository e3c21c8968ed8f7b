import assert from 'node:assert/strict';
import test from 'node:test';
import { alsoAllows, formatRule, narrowestRule, ruleDifferences } from '../../src/join/facts.ts';

const JOB = { projectId: 'p1', contextIds: ['c1', 'c2'] };
const rule = (projectId?: string, contextId?: string) => ({ projectId, contextId });

for (const [what, one] of [
  ['its project', rule('p1')],
  ['one of its contexts', rule(undefined, 'c2')],
  ['both', rule('p1', 'c1')],
] as const) {
  test(`a rule that names ${what} allows a job`, () => {
    assert.deepEqual(ruleDifferences(one, JOB), []);
  });
}

test('a rule names each field in which a job differs', () => {
  assert.deepEqual(ruleDifferences(rule('p2', 'c3'), JOB), [
    { field: 'project_id', expected: 'p2', actual: ['p1'] },
    { field: 'context_id', expected: 'c3', actual: ['c1', 'c2'] },
  ]);
  assert.deepEqual(ruleDifferences(rule('p1', 'c3'), JOB), [
    { field: 'context_id', expected: 'c3', actual: ['c1', 'c2'] },
  ]);
});

test('a job without an id differs from a rule that names one', () => {
  assert.deepEqual(ruleDifferences(rule('p1', 'c1'), { projectId: undefined, contextIds: [] }), [
    { field: 'project_id', expected: 'p1', actual: [] },
    { field: 'context_id', expected: 'c1', actual: [] },
  ]);
});

test('ids are compared letter by letter, as Teleport does', () => {
  assert.equal(ruleDifferences(rule('P1'), JOB).length, 1);
});

test('the narrowest rule names project and context, and allows the job', () => {
  const narrowest = narrowestRule(JOB);
  assert.deepEqual(narrowest, rule('p1', 'c1'));
  assert.deepEqual(ruleDifferences(narrowest, JOB), []);
  assert.equal(formatRule(narrowest), '{project_id: p1, context_id: c1}');
});

test('a job without a context gets a rule for its project, one without any id none', () => {
  assert.deepEqual(narrowestRule({ projectId: 'p1', contextIds: [] }), rule('p1'));
  assert.equal(narrowestRule({ projectId: undefined, contextIds: [] }), undefined);
});

test('what else a rule allows depends on what it names', () => {
  const [both, project, context] = [rule('p', 'c'), rule('p'), rule(undefined, 'c')].map((one) => alsoAllows(one)[0]);
  assert.match(both ?? '', /that project that uses that context/);
  assert.match(project ?? '', /any context or none/);
  assert.match(context ?? '', /every project/);
});
