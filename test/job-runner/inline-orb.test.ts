import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { inlineOrb } from './inline-orb.ts';

const ORB = 'commands: { c: { steps: [{ run: "cat \\\\<<EOF" }] } }';

const configs: readonly (readonly [what: string, config: string])[] = [
  ['no orbs', 'version: 2.1\njobs: {}\n'],
  ['a reference to the registry', 'version: 2.1\njobs: {}\norbs: { tool: example/tool@1.2.3 }\n'],
];

for (const [what, config] of configs) {
  test(`a config with ${what} gets the orb inline`, () => {
    assert.deepEqual(parse(inlineOrb(config, 'tool', ORB)), {
      version: 2.1,
      jobs: {},
      orbs: { tool: { commands: { c: { steps: [{ run: 'cat \\<<EOF' }] } } } },
    });
  });
}

test('other orbs stay', () => {
  assert.match(inlineOrb('version: 2.1\norbs: { other: a/b@1 }\n', 'tool', ORB), /other: a\/b@1/);
});
