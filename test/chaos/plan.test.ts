import assert from 'node:assert/strict';
import test from 'node:test';
import { caseText, FRONTS, isPossible, PAIRS, parseCase, Plan, VERSIONS } from './plan.ts';

const CI_COUNT = 500;
const plan = new Plan(1);
const cases = Array.from({ length: CI_COUNT }, (_, at) => plan.case(at));
const nameOf = ({ fault, phase }: { readonly phase: string; readonly fault: string }) => `${phase} ${fault}`;

test('a case depends on the seed and its number alone', () => {
  assert.deepEqual(new Plan(1).case(321), cases[321]);
  assert.notDeepEqual(new Plan(2).case(321), cases[321]);
});

test('the first cases spoil every phase in every way', () => {
  const first = new Set(cases.slice(0, PAIRS.length).map(nameOf));
  assert.deepEqual(
    PAIRS.map(nameOf).filter((pair) => !first.has(pair)),
    [],
  );
});

test('the cases of CI have every front with every version, and only what is possible there', () => {
  const places = new Set(cases.map(({ front, version }) => `${front} ${version}`));
  assert.equal(places.size, FRONTS.length * VERSIONS.length);
  assert.ok(cases.every((one) => isPossible(one.phase, one)));
});

test('the text of a case is read as the same case, and what is left out as something simple', () => {
  for (const one of cases.slice(0, 50)) assert.deepEqual(parseCase(caseText(one)), one);
  assert.equal(parseCase('phase=join fault=stall').front, 'plain');
  assert.throws(() => parseCase('phase=nothing'));
  assert.throws(() => parseCase('colour=red'));
});
