import assert from 'node:assert/strict';
import test from 'node:test';
import { type Case, type Dimensions, pairsOf, pairwise } from './pairwise.ts';
import { DIMENSIONS, isPossible, SCENES } from './topologies.ts';

const SMALL = { a: ['1', '2', '3'], b: ['1', '2'], c: ['1', '2'] };

function missing(dimensions: Dimensions, cases: readonly Case[]): readonly string[] {
  return pairsOf(dimensions)
    .filter(({ one, other }) =>
      cases.every((found) => found[one.dimension] !== one.value || found[other.dimension] !== other.value),
    )
    .map(({ one, other }) => `${one.dimension} ${one.value} with ${other.dimension} ${other.value}`);
}

test('every two values of different dimensions meet in a case', () => {
  const cases = pairwise(SMALL);
  assert.deepEqual(missing(SMALL, cases), []);
  assert.equal(cases.length, 6, 'as few as possible: the product of the two largest dimensions');
  assert.deepEqual(pairwise(SMALL), cases);
});

test('no case is impossible, and all other pairs meet', () => {
  const possible = ({ a, b }: Case) => a !== '1' || b !== '1';
  const cases = pairwise(SMALL, possible);
  assert.ok(cases.every(possible));
  assert.deepEqual(missing(SMALL, cases), ['a 1 with b 1']);
});

test('the matrix of topologies has every pair of a topology, state of the authorities, proxy and version', () => {
  assert.deepEqual(missing(DIMENSIONS, SCENES), [
    'egress socks5 with place IPv6 only',
    'egress socks5h with place IPv6 only',
  ]);
  assert.ok(SCENES.every(isPossible));
  assert.ok(SCENES.length < 40, `${SCENES.length} scenes take a minute of processor time`);
});
