import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withOrbs } from './inline-orb.ts';
import { type Mapping, mapping } from './mapping.ts';

const ORB = 'commands: { c: { steps: [{ run: "cat \\\\<<EOF" }] } }';

const configs: readonly (readonly [what: string, config: Mapping])[] = [
  ['no orbs', { version: 2.1, jobs: {} }],
  ['a reference to the registry', { version: 2.1, jobs: {}, orbs: { tool: 'example/tool@1.2.3' } }],
];

for (const [what, config] of configs) {
  test(`a config with ${what} gets the orb inline`, () => {
    assert.deepEqual(withOrbs(config, { tool: ORB }), {
      version: 2.1,
      jobs: {},
      orbs: { tool: { commands: { c: { steps: [{ run: 'cat \\<<EOF' }] } } } },
    });
  });
}

test('other orbs stay', () => {
  const { orbs } = withOrbs({ version: 2.1, orbs: { other: 'a/b@1' } }, { tool: ORB });
  assert.equal(mapping(orbs, 'orbs').other, 'a/b@1');
});
