import assert from 'node:assert/strict';
import test from 'node:test';
import { minimise } from './minimise.ts';
import { parseCase } from './plan.ts';

test('a failing case loses everything that the failure does not need', async () => {
  const start = parseCase('phase=database fault=stall front=l7 version=17.4.2 way=up after=900 old=yes process=yes');
  const smallest = await minimise(start, ({ after, fault, old }) =>
    Promise.resolve(fault === 'stall' && old === 'yes' && after > 100),
  );
  const expected = parseCase('phase=identity fault=stall old=yes times=once');
  assert.deepEqual({ ...smallest, after: 0 }, { ...expected, after: 0 });
  assert.ok(smallest.after > 100 && smallest.after < 230);
});
