/** A program that only the machine of its author has would fail every run in CI. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

/** In a call, or in a table of tests. */
const NAMED = /\bmissing\(([^)]*)\)|\bprograms?: (\[[^\]]*\]|'[^']*')/g;

test('.ci/run installs every program that a test needs', () => {
  const ci = readFileSync('.ci/run', 'utf8');
  const needed = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join('test', name), 'utf8').matchAll(NAMED)])
    .flatMap(([, called = '', listed = '']) => [...`${called}${listed}`.matchAll(/'([\w-]+)'/g)])
    .map(([, program = '']) => program);
  assert.ok(needed.length >= 30);
  assert.deepEqual(
    [...new Set(needed)].filter((program) => program !== 'env' && !ci.includes(` ${program}:`)),
    [],
  );
});
