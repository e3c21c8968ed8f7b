import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { planOf, v2 } from '../config/plan-of.ts';

/** A linear congruential generator: every run has the same files, so that a failure can be reproduced. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const VALID = v2(`credential_ttl: 1h
storage: &s {type: directory, path: s}
outputs:
- type: identity
  destination: {<<: *s, path: a, readers: [{user: u}]}
  ssh_config: on
- type: kubernetes/v2
  destination: {type: memory}
  selectors: [{labels: {a: "b"}}]
services:
- {type: database-tunnel, listen: "tcp://h:1", service: s, database: d, username: u}
`);

const V1 =
  'auth_server: a:1\nonboarding: {token: t}\ndestinations:\n- directory: {path: /d}\n  configs: [tls, mongo: {}]\n';

const PIECES = [
  '\n',
  ' ',
  '  ',
  '\t',
  ': ',
  '- ',
  '? ',
  '[',
  ']',
  '{',
  '}',
  ',',
  '&s',
  '*s',
  '<<: ',
  '!!map ',
  '|',
  '>',
]
  .concat([
    '"',
    "'",
    '#',
    '---',
    '...',
    '%YAML',
    '~',
    'null',
    'type',
    'destination',
    'outputs',
    '__proto__',
    '0',
    '\uFEFF',
  ])
  .concat(['\0', '\uD800', '\u2028', '@', '`', '!', 'version: v1', 'version: v2', 'constructor: {}']);

/** `text` with a few pieces inserted, removed or duplicated. */
function mutate(text: string, random: (below: number) => number): string {
  let result = text;
  for (let change = random(6); change >= 0; change--) {
    const at = random(result.length + 1);
    const length = random(12);
    const piece = random(3) === 0 ? result.slice(at, at + length) : (PIECES[random(PIECES.length)] ?? '');
    result = result.slice(0, at) + piece + result.slice(at + (random(2) === 0 ? length : 0));
  }
  return result;
}

function noise(random: (below: number) => number): string {
  return Array.from({ length: random(60) }, () =>
    random(2) === 0 ? PIECES[random(PIECES.length)] : String.fromCharCode(random(256)),
  ).join('');
}

test('every file becomes a plan or a MachineIdError', async () => {
  const random = createRandom(20_240_601);
  const outcomes = { plan: 0, refused: 0 };
  for (let round = 0; round < 3_000; round++) {
    const text = [mutate(VALID, random), mutate(V1, random), noise(random)][round % 3] ?? '';
    try {
      await planOf(text);
      outcomes.plan++;
    } catch (error) {
      assert.ok(error instanceof MachineIdError, `${JSON.stringify(text)} ended with ${String(error)}`);
      assert.equal(error.code, 'CONFIG_INVALID');
      assert.ok(error.problems.length > 0);
      outcomes.refused++;
    }
  }
  // Both must happen often; otherwise the files would test nothing.
  assert.ok(outcomes.plan > 60 && outcomes.refused > 1_000, JSON.stringify(outcomes));
});
