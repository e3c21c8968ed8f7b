import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reviewSource } from './review-rules.ts';
import { sourceFiles, sourceWith, version } from './source.ts';

test('the orb passes the review that CircleCI makes of certified orbs', () => {
  assert.deepEqual(reviewSource(sourceFiles, version), []);
});

const EMPTY_EXAMPLE = 'description: x\nusage: { orbs: { machine-id: "teleport/machine-id@0.1.0" } }\n';

const broken: readonly (readonly [finding: string, files: ReadonlyMap<string, string>])[] = [
  ['RC001 display.source_url is missing', sourceWith('@orb.yml', (text) => text.replace('source_url', 'source'))],
  [
    'RC002 commands/join.yml has no description',
    sourceWith('commands/join.yml', (text) => text.replace('description', 'about')),
  ],
  ['RC003 there is no example', new Map([...sourceFiles].filter(([path]) => !path.startsWith('examples/')))],
  ['RC004 examples/ssh_example.yml says example', sourceWith('examples/ssh_example.yml', () => EMPTY_EXAMPLE)],
  [
    "RC005 the orb's description is short",
    sourceWith('@orb.yml', () => 'description: x\ndisplay: { source_url: y }\n'),
  ],
  [
    'RC008 commands/join.yml.steps.0.run has no name',
    sourceWith('commands/join.yml', (text) => text.replace(/ +name: <<.*\n/, '')),
  ],
  [
    'RC009 commands/join.yml.steps.0.run is long',
    sourceWith('commands/join.yml', (text) => text.replace(/<<include.*>>/, 'x'.repeat(65))),
  ],
  ['RC010 commands/go-on.yml: go-on holds a dash', sourceWith('commands/go-on.yml', () => 'description: x\n')],
  [
    'RC010 commands/go.yml: a-b holds a dash',
    sourceWith('commands/go.yml', () => 'description: x\nparameters: { a-b: {} }\n'),
  ],
  [
    'RC011 examples/old.yml does not use major version 0',
    sourceWith('examples/old.yml', () => EMPTY_EXAMPLE.replace('@0', '@1')),
  ],
  [
    'RC012 commands/go.yml.0.save_cache.key uses dir',
    sourceWith(
      'commands/go.yml',
      () => `description: x
parameters: { dir: { type: string, default: $HOME } }
steps: [{ save_cache: { key: "v1-<< parameters.dir >>", paths: [x] } }]
`,
    ),
  ],
];

for (const [finding, files] of broken) {
  test(`the review finds: ${finding}`, () => {
    assert.deepEqual(reviewSource(files, version), [finding]);
  });
}
