/** A program that only the machine of its author has would fail every run in CI. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

/** In a call, or in a table of tests. */
const NAMED = /\b(?:missing|withoutRunner)\(([^)]*)\)|\bprograms: (\[[^\]]*\])|^ {4}program: ('[^']*'),$/gm;

/** On every system. */
const BASE = ['env', 'sh'];

test('.ci/run installs every program that a test needs', () => {
  const ci = readFileSync('.ci/run', 'utf8');
  const needed = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join('test', name), 'utf8').matchAll(NAMED)])
    .flatMap(([, called = '', listed = '', one = '']) => [...`${called}${listed}${one}`.matchAll(/'([\w-]+)'/g)])
    .map(([, program = '']) => program);
  assert.ok(needed.length >= 30);
  assert.deepEqual(
    [...new Set(needed)].filter((program) => !BASE.includes(program) && !ci.includes(` ${program}:`)),
    [],
  );
});
